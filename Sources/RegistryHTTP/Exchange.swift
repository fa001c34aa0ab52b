import Glibc
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
    private let context: ChannelHandlerContext
    private var state = State.waiting
    private var whenCutShort: (() -> Void)?
    /// What the response's head names as its content.
    private var content: Digest?
    private var isChunked = false
    private var isCorked = false

    init(
        _ request: HTTPRequestHead,
        id: String,
        caller: Caller,
        server: ServerContext,
        connection: RequestHandler,
        context: ChannelHandlerContext
    ) {
        self.request = request
        self.id = id
        self.caller = caller
        self.server = server
        self.connection = connection
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

    /// Sends a whole response with one flush; the body stays away where the request was a HEAD.
    func respond(_ head: ResponseHead, _ body: ByteBuffer? = nil) {
        guard var bytes = start(head) else { return }
        if let body, !isHead {
            record.sentBytes += body.readableBytes
            if body.readableBytes <= Self.longestCopy {
                bytes.writeImmutableBuffer(body)
            } else {
                write(.byteBuffer(bytes))
                bytes = body
            }
        }
        write(.byteBuffer(bytes))
        end()
    }

    /// A body up to so many bytes goes into one piece of memory with its head.
    static let longestCopy = 4096

    /// Sends the head, without flushing; returns whether there is still anyone to send a body to.
    @discardableResult
    func begin(_ head: ResponseHead) -> Bool {
        guard let bytes = start(head) else { return false }
        write(.byteBuffer(bytes))
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

    private func write(_ data: IOData, _ promise: EventLoopPromise<Void>? = nil) {
        context.write(RequestHandler.wrapOutboundOut(data), promise: promise)
    }

    /// Sends a piece of the body; the future tells when the client's socket has taken all of it.
    func send(_ data: IOData) -> EventLoopFuture<Void> {
        guard state == .streaming else { return eventLoop.makeFailedFuture(ChannelError.alreadyClosed) }
        let promise = eventLoop.makePromise(of: Void.self)
        let count = data.readableBytes
        if isChunked, count > 0 {
            write(.byteBuffer(allocator.buffer(string: String(count, radix: 16) + "\r\n")))
            write(data)
            write(.byteBuffer(allocator.buffer(string: "\r\n")), promise)
        } else {
            write(data, promise)
        }
        context.flush()
        promise.futureResult.assumeIsolated()
            .whenSuccess {
                self.record.sentBytes += count
                self.connection.responseProgressed()
            }
        return promise.futureResult
    }

    /// Has the system send nothing but full packets until ``uncork()``: a head goes out with the beginning of a file, and the
    /// end of each window with the beginning of the next (`TCP_CORK`, tcp(7)).
    ///
    /// Only while parts follow each other at once: the system may hold some of them for up to 200 ms.
    func cork() {
        // Through TLS, records are what is sent.
        guard sendsFileRegions, state == .streaming, !isCorked else { return }
        isCorked = true
        setCork(1)
    }

    /// Lets go out what is held back.
    func uncork() {
        guard isCorked else { return }
        isCorked = false
        setCork(0)
    }

    private func setCork(_ value: SocketOptionValue) {
        // Of a connection that has failed it fails too, and then there is nothing to hold.
        try? context.channel.syncOptions?.setOption(Self.cork, value: value)
    }

    private static let cork = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_CORK))

    /// Lets what was written go out.
    func flush() {
        if state == .streaming { context.flush() }
    }

    /// Ends a response whose body is complete.
    func end() {
        guard state == .streaming else { return }
        state = .ended
        whenCutShort = nil
        let closes = isLast
        connection.responseWillEnd(self, closes: closes)
        let promise = eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated()
            .whenComplete { _ in
                self.note()
                if closes { self.connection.close(self.context, lingers: self.mustClose) }
                self.connection.responseWasTaken(self.context)
            }
        write(.byteBuffer(allocator.buffer(string: isChunked ? "0\r\n\r\n" : "")), promise)
        context.flush()
        connection.responseHasEnded(context)
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
    private func described(_ head: ResponseHead) -> ResponseHead {
        var head = head
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
        guard request.version == .http1_1, RequestTraits(request.headers).isPlain,
            body.readableBytes <= PreparedAnswers.largestBody
        else { return }
        var record = record
        record.status = Int(head.status.code)
        record.sentBytes = body.readableBytes
        let answer = PreparedAnswer(
            described(head),
            body,
            record,
            line: loop.log.prepare(record, to: request.method, request.uri),
            method: request.method,
            validity: validity,
            metrics: server.metrics
        )
        loop.answers.keep(answer, for: request.method, request.uri)
        server.expressAnswers?.keep(answer, for: request.method, request.uri)
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
