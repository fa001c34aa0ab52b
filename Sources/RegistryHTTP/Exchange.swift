import Logging
import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// One request and its response.
///
///     waiting ──begin──▶ streaming ──end──▶ ended
///        │                  └──abort──────▶ ended
///        └──respond───────────────────────▶ ended
///
/// Confined to the connection's event loop. After the end, or when the client has left, every call does nothing: answers
/// that come late need not look.
final class Exchange {
    private enum State {
        case waiting
        case streaming
        case ended
    }

    let request: HTTPRequestHead
    let id: String
    let caller: Caller
    let server: ServerContext
    var record = AccessRecord()
    /// The `ns` parameter that found the upstream, to be answered with.
    var namespace: String?
    /// Whether this is the registry API, whose responses say so.
    private(set) var isRegistryAPI = false
    /// Set when the connection cannot be used after this response.
    var mustClose = false

    /// Holds this exchange in turn, until its end.
    private let connection: RequestHandler
    private let outlet: Outlet
    private let context: ChannelHandlerContext
    private var state = State.waiting
    private var whenCutShort: (() -> Void)?
    /// What the response's head names as its content.
    private var content: Digest?
    private var isChunked = false
    private var isCorked = false
    /// A head that goes out with the beginning of the body.
    private var heldHead: ByteBuffer?

    init(
        _ request: HTTPRequestHead,
        id: String,
        caller: Caller,
        server: ServerContext,
        connection: RequestHandler,
        outlet: Outlet,
        context: ChannelHandlerContext
    ) {
        self.request = request
        self.id = id
        self.caller = caller
        self.server = server
        self.connection = connection
        self.outlet = outlet
        self.context = context
    }

    /// Whether the connection ends with this response.
    private var isLast: Bool { mustClose || !request.isKeepAlive || connection.isLastRequest }
    /// Whether this is no plain read: the control socket takes POSTs.
    var changesState: Bool { request.method == .POST }
    var isHead: Bool { request.method == .HEAD }
    var isOpen: Bool { state != .ended }
    var isWaiting: Bool { state == .waiting }
    var eventLoop: any EventLoop { context.eventLoop }
    /// What this event loop's connections share.
    var loop: LoopContext { connection.loop }
    var allocator: ByteBufferAllocator { context.channel.allocator }
    /// Whether file regions can be sent as they are; through TLS they must be read first.
    var sendsFileRegions: Bool { connection.sendsFileRegions }
    /// Whether the request came by the control socket.
    var isControl: Bool { connection.isControl }

    /// Makes this a request of the registry API, which draining waits for.
    func enterRegistryAPI() {
        guard !isRegistryAPI else { return }
        isRegistryAPI = true
        server.activity.began()
    }

    /// Goes on with a response that the express lane has begun, and that ends the connection.
    func goOn(with rest: UnfinishedResponse) {
        guard state == .waiting else { return }
        enterRegistryAPI()
        state = .streaming
        record = rest.record
        content = rest.content
        if rest.bytes.readableBytes > 0 { heldHead = rest.bytes }
        guard let (file, part) = rest.file else {
            end()
            return
        }
        FileSender.send([.file(part)], of: file, to: self) { self.end() }
    }

    /// Sends a whole response with one flush; the body stays away where the request was a HEAD.
    func respond(_ head: ResponseHead, _ body: ByteBuffer? = nil) {
        guard var bytes = start(head) else { return }
        if let body, !isHead {
            record.sentBytes += body.readableBytes
            if body.readableBytes > Self.longestCopy {
                end(after: outlet.send(body, after: bytes))
                return
            }
            bytes.writeImmutableBuffer(body)
        }
        end(after: outlet.send(bytes))
    }

    /// A body up to so many bytes goes into one piece of memory with its head.
    static let longestCopy = 4096

    /// Begins with the head, which waits for the body or for ``flush()``; returns whether there is still anyone to send a
    /// body to.
    @discardableResult
    func begin(_ head: ResponseHead) -> Bool {
        guard let bytes = start(head) else { return false }
        heldHead = bytes
        return true
    }

    /// Goes over to streaming; returns what is to be sent first.
    private func start(_ head: ResponseHead) -> ByteBuffer? {
        guard state == .waiting else { return nil }
        state = .streaming
        record.status = Int(head.status.code)
        content = head.content
        isChunked = head.isChunked && !isHead
        var bytes = allocator.buffer(capacity: 1024)
        described(head).write(to: &bytes, version: request.version)
        ResponseEnd(id: id, date: loop.clock.dateLine, persistence: persistence).write(to: &bytes)
        return bytes
    }

    private var persistence: ResponseEnd.Persistence {
        if isLast { return .close }
        return request.version == .http1_0 ? .keepAlive : .usual
    }

    /// Sends a piece of the body.
    ///
    /// - Returns: `nil` when the client's socket has taken all of it; else what tells when it has.
    func send(_ bytes: ByteBuffer) -> EventLoopFuture<Void>? {
        guard state == .streaming, !isChunked else { return enqueue(.byteBuffer(bytes)) }
        let rest = outlet.send(bytes, after: heldHead.take())
        if let rest {
            noteSent(bytes.readableBytes, when: rest)
        } else {
            noteSent(bytes.readableBytes)
        }
        return rest
    }

    /// Sends of a file's part what the client's socket takes at once; returns the rest, which is to be enqueued.
    ///
    /// Memory must hold the part. All of it is left, too, where the file ends before.
    func sendAtOnce(_ part: Range<Int>, of file: any StoredFile) -> Range<Int> {
        guard state == .streaming, !isChunked else { return part }
        let sent = outlet.sendAtOnce(part, of: file.descriptor, after: heldHead)
        heldHead?.moveReaderIndex(forwardBy: sent.head)
        if heldHead?.readableBytes == 0 { heldHead = nil }
        if sent.part > 0 { noteSent(sent.part) }
        return part.dropFirst(sent.part)
    }

    /// Sends a piece of the body through the channel; the future tells when the client's socket has taken all of it.
    func enqueue(_ data: IOData) -> EventLoopFuture<Void> {
        guard state == .streaming else { return eventLoop.makeFailedFuture(ChannelError.alreadyClosed) }
        let count = data.readableBytes
        let taken: EventLoopFuture<Void>
        if isChunked, count > 0 {
            var beginning = heldHead.take() ?? ByteBuffer()
            beginning.writeString(String(count, radix: 16) + "\r\n")
            outlet.write(.byteBuffer(beginning))
            outlet.write(data)
            taken = outlet.enqueue(.byteBuffer(ByteBuffer(string: "\r\n")))
        } else {
            taken = outlet.enqueue(data, after: heldHead.take())
        }
        noteSent(count, when: taken)
        return taken
    }

    private func noteSent(_ count: Int, when taken: EventLoopFuture<Void>) {
        taken.assumeIsolated().whenSuccess { self.noteSent(count) }
    }

    private func noteSent(_ count: Int) {
        record.sentBytes += count
        connection.responseProgressed()
    }

    /// Has the system send nothing but full packets until ``uncork()``: a head goes out with the beginning of a file, and the
    /// end of each window with the beginning of the next (`TCP_CORK`, tcp(7)).
    ///
    /// Only while parts follow each other at once: the system may hold some of them for up to 200 ms.
    func cork() {
        // Through TLS, records are what is sent.
        guard sendsFileRegions, state == .streaming, !isCorked else { return }
        isCorked = true
        outlet.setCork(true)
    }

    /// Lets go out what is held back.
    func uncork() {
        guard isCorked else { return }
        isCorked = false
        outlet.setCork(false)
    }

    /// Lets a head go out that waits for a body.
    func flush() {
        guard state == .streaming, let head = heldHead.take() else { return }
        _ = outlet.send(head)
    }

    /// Ends a response whose body is complete.
    func end() {
        guard state == .streaming else { return }
        if isChunked {
            end(after: outlet.enqueue(.byteBuffer(ByteBuffer(string: "0\r\n\r\n")), after: heldHead.take()))
        } else if let head = heldHead.take() {
            end(after: outlet.send(head))
        } else {
            end(after: outlet.emptied())
        }
    }

    /// Ends a response of which the client's socket has taken all, or will have.
    private func end(after taken: EventLoopFuture<Void>?) {
        // A client may turn out to have left when something is sent to it, and that was the end.
        guard state == .streaming else { return }
        state = .ended
        whenCutShort = nil
        let closes = isLast
        connection.responseWillEnd(self, closes: closes)
        if let taken {
            taken.assumeIsolated().whenComplete { _ in self.wasTaken(closes: closes) }
        } else {
            wasTaken(closes: closes)
        }
        connection.responseHasEnded(context)
    }

    private func wasTaken(closes: Bool) {
        note()
        if closes { connection.close(context, lingers: mustClose) }
        connection.responseWasTaken(context)
    }

    /// Cuts the connection because a stored file cannot be read as it should be, and tells the operator which.
    func abort(_ label: String, file problem: String) {
        guard state == .streaming else { return }
        server.logger.error(
            "stored content cannot be sent",
            metadata: [
                "digest": "\(content.map { "\($0)" } ?? "unknown")", "error": "\(problem)", "request_id": "\(id)",
            ]
        )
        abort(label)
    }

    /// Cuts the connection: the head is out, and a body that ends well would look complete.
    func abort(_ label: String) {
        guard state == .streaming else { return }
        state = .ended
        record.error = label
        whenCutShort.take()?()
        note()
        connection.responseWillEnd(self, closes: true)
        context.close(promise: nil)
    }

    /// Calls `action` if the response does not come to its end.
    func onCutShort(_ action: @escaping () -> Void) {
        whenCutShort = action
    }

    /// The client has left before the end.
    func clientLeft() {
        guard state != .ended else { return }
        state = .ended
        whenCutShort.take()?()
        record.error = "client_left"
        // nginx's number for it; nothing was sent under it.
        if record.status == 0 { record.status = 499 }
        note()
    }

    private func note() {
        if isRegistryAPI { server.activity.ended() }
        loop.log.note(record, of: request, id: id, caller: caller)
    }

    /// With the headers that tell how the registry came to the answer.
    func described(_ head: ResponseHead) -> ResponseHead {
        guard !head.isDescribed else { return head }
        var head = head
        head.isDescribed = true
        if isRegistryAPI {
            head.add("Docker-Distribution-API-Version", "registry/2.0")
            if let outcome = record.outcome {
                head.add(outcome)
            } else {
                head.add("Cache-Status", record.error.map { "tidepool; detail=\($0)" } ?? "tidepool")
            }
            if let namespace { head.add("OCI-Namespace", namespace) }
        }
        return head
    }

    /// Keeps the answer that is about to be sent for the next who ask the same.
    ///
    /// Not when it depends on more than the target and the method, or is too large.
    func keep(_ head: ResponseHead, _ body: ByteBuffer, _ validity: PreparedAnswer.Validity) {
        guard body.readableBytes <= PreparedAnswers.largestBody, isPlain else { return }
        loop.keep(prepared(head, .bytes(body, validity)), for: request.method, request.uri)
    }

    /// Keeps the answer with a blob's file for the next who ask the same, and nothing more, on a connection.
    func keep(_ head: ResponseHead, fileOf size: Int) {
        guard !request.isKeepAlive, size <= ExpressAnswers.largestFile, let answers = server.expressAnswers, isPlain,
            answers.answer(to: request.method, request.uri) == nil
        else { return }
        answers.keep(prepared(head, .file(size)), for: request.method, request.uri)
    }

    /// Whether the answer depends on nothing but the target and the method.
    private var isPlain: Bool { request.version == .http1_1 && RequestTraits(request.headers).isPlain }

    private func prepared(_ head: ResponseHead, _ body: PreparedAnswer.Body) -> PreparedAnswer {
        var record = record
        record.status = Int(head.status.code)
        record.sentBytes = body.size
        return PreparedAnswer(
            described(head),
            body,
            record,
            line: loop.log.prepare(record, to: request.method, request.uri),
            method: request.method,
            metrics: server.metrics
        )
    }
}

extension Exchange {
    /// Runs `work` as a task and brings its result back to the event loop.
    ///
    /// The client's leaving cancels nothing: the work belongs to the cache. If the core does not answer within its own
    /// time budget, the client gets an answer all the same.
    func perform<Value: Sendable>(
        _ work: @escaping @Sendable () async throws(MirrorError) -> Value,
        then finish: @escaping (Value) -> Void
    ) {
        let deadline = eventLoop.assumeIsolated()
            .scheduleTask(in: TimeAmount(server.options.answerWithin)) {
                if self.isWaiting { ErrorResponder.respond(.tooSlow, to: self) }
            }
        let loopBound = NIOLoopBound(
            { (result: Result<Value, MirrorError>) in
                deadline.cancel()
                guard self.isWaiting else { return }
                switch result {
                case .success(let value): finish(value)
                case .failure(let error): ErrorResponder.respond(error, to: self)
                }
            },
            eventLoop: eventLoop
        )
        let eventLoop = eventLoop
        Task {
            let result: Result<Value, MirrorError>
            do throws(MirrorError) {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            eventLoop.execute { loopBound.value(result) }
        }
    }
}
