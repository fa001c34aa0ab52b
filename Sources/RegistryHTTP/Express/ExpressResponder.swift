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
        case answeredInPart(rest: ByteBuffer)
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
        let caller = Caller(address: connection.peer?.host ?? "unknown")
        guard let kept = answers.answer(to: head.method, target),
            let answer = kept.current(in: server.registry, for: caller, at: start)
        else { return .declined }
        if answer !== kept { answers.keep(answer, for: head.method, target) }
        let id = requestIDs.id(askedFor: head.requestID.map { String(decoding: $0, as: UTF8.self) })
        response.clear()
        answer.write(to: &response, ending: ResponseEnd(id: id, date: clock.dateLine, persistence: .close))
        let sent = connection.send(response, atMost: server.options.longestExpressSend)
        server.activity.passed(at: start)
        log.note(
            answer,
            id: id,
            caller: caller,
            since: start
        )
        guard let sent, sent < response.readableBytes else { return .answered }
        response.moveReaderIndex(forwardBy: sent)
        return .answeredInPart(rest: response)
    }
}
