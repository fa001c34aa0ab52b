import MirrorCore
import NIOCore
import NIOHTTP1
import Posix

/// Answers requests on connections that end with the answer, where it is prepared.
///
/// Notes them as ``RequestHandler`` does. Confined to the lane's thread.
final class ExpressResponder {
    enum Outcome {
        /// The client has all of the response, or has gone.
        case answered
        case answeredInPart(rest: UnfinishedResponse)
        /// The request is none that can be answered here.
        case declined
    }

    private let server: ServerContext
    private let answers: ExpressAnswers
    private let clock = LoopClock()
    private let requestIDs = RequestIDs()
    private let log: AccessLog
    /// The response, in memory that is used again for the next.
    private var response = ByteBuffer()

    init(_ server: ServerContext, _ answers: ExpressAnswers) {
        self.server = server
        self.answers = answers
        log = AccessLog(server.options.accessLog, metrics: server.metrics, clock: clock)
    }

    /// Answers the request that is all that the client has sent.
    func answer(_ request: ArraySlice<UInt8>, on connection: ExpressConnection) -> Outcome {
        guard let head = ExpressHead(request, server.options.limits) else { return .declined }
        let start = NIODeadline.now()
        let target = String(decoding: head.target, as: UTF8.self)
        guard let kept = answers.answer(to: head.method, target) else { return .declined }
        let caller = Caller(address: connection.peer?.host ?? "unknown")
        let answer: PreparedAnswer
        var file: (any StoredFile)?
        switch kept.body {
        case .bytes:
            guard let current = kept.current(in: server.registry, server.files, for: caller, at: start) else {
                return .declined
            }
            if current !== kept { answers.keep(current, for: head.method, target) }
            answer = current
        case .file(let size):
            file = kept.file(in: server.registry, for: caller)
            // What is not in memory is for those who can wait for the disk.
            guard let file, file.size == size, server.files.hasAtHand(0..<size, of: file) else { return .declined }
            answer = kept
        }
        let id = requestIDs.id(askedFor: head.requestID.map { String(decoding: $0, as: UTF8.self) })
        response.clear()
        answer.write(to: &response, ending: ResponseEnd(id: id, date: clock.dateLine, persistence: .close))
        if let rest = send(answer, file, on: connection) {
            var record = answer.record
            record.start = start
            record.sentBytes -= rest.part.count
            let headers: HTTPHeaders = ["Connection": "close"]
            let unfinished = UnfinishedResponse(
                request: HTTPRequestHead(version: .http1_1, method: head.method, uri: target, headers: headers),
                id: id,
                record: record,
                content: answer.content,
                bytes: rest.bytes,
                file: file.map { ($0, rest.part) }
            )
            return .answeredInPart(rest: unfinished)
        }
        server.activity.passed(at: start)
        log.note(answer, id: id, caller: caller, since: start)
        return .answered
    }

    /// Sends what the socket takes of the response and of the file after it; returns the rest of both, if there is any.
    private func send(
        _ answer: PreparedAnswer,
        _ file: (any StoredFile)?,
        on connection: ExpressConnection
    ) -> (bytes: ByteBuffer, part: Range<Int>)? {
        let limit = server.options.longestExpressSend
        let part = 0..<(file == nil ? 0 : answer.body.size)
        let sent = connection.send(response, atMost: limit)
        // A client that has gone has nothing left to get; where there is a file, an event loop tells how much was sent of it.
        guard sent != nil || file != nil else { return nil }
        response.moveReaderIndex(forwardBy: sent ?? 0)
        guard response.readableBytes == 0 else { return (response, part) }
        if let file {
            // If the file is why nothing goes, that is for an event loop to find, too.
            let sentOfFile = connection.send(file, part.prefix(limit)) ?? 0
            guard sentOfFile == part.count else { return (ByteBuffer(), part.dropFirst(sentOfFile)) }
        }
        connection.end()
        return nil
    }
}
