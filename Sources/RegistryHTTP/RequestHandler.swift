import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Reads requests from one connection and has them answered, one at a time.
///
/// What a client sends while it is being answered waits its turn, and no more is read meanwhile.
///
/// A client may close its side after its last request (`shutdown`, or TLS's `close_notify`) and read on: the response is
/// sent to its end. One that has left altogether looks the same until something is sent to it.
final class RequestHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = Never

    /// What has come and waits until the request before it is answered.
    private enum Waiting {
        case part(HTTPServerRequestPart)
        case error(any Error)
        case inputClosed
    }

    /// A request that a prepared answer will be sent for when it has come whole.
    private struct Hit {
        let answer: PreparedAnswer
        let request: HTTPRequestHead
        let id: String
        let start: NIODeadline
    }

    let sendsFileRegions: Bool
    let isControl: Bool
    let loop: LoopContext
    private let server: ServerContext
    private let connectionGuard: ConnectionGuard
    private let outlet: Outlet
    /// A response that was begun before the connection had a channel.
    private var unfinished: UnfinishedResponse?
    private var caller = Caller(address: "")
    /// The request whose head has come and whose response has not ended.
    private var exchange: Exchange?
    /// Whether all of that request has come.
    private var isRequestComplete = false
    private var hit: Hit?
    private var waiting = CircularBuffer<Waiting>(initialCapacity: 0)
    private var isTakingWaiting = false
    /// Whether the channel wants to read on.
    private var isReadPending = false
    private var isClosing = false
    /// The client has closed its side, and so sends no more requests.
    private var isInputClosed = false
    /// The server has asked for the end of this connection.
    private var isToEnd = false
    /// Responses that have ended here, and that the client's socket has not taken whole.
    private var responsesOnTheirWay = 0

    init(
        server: ServerContext,
        loop: LoopContext,
        connectionGuard: ConnectionGuard,
        outlet: Outlet,
        unfinished: UnfinishedResponse?,
        sendsFileRegions: Bool,
        isControl: Bool
    ) {
        self.server = server
        self.loop = loop
        self.connectionGuard = connectionGuard
        self.outlet = outlet
        self.unfinished = unfinished
        self.sendsFileRegions = sendsFileRegions
        self.isControl = isControl
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Until the handler is removed they hold each other.
        outlet.whenRelieved = {
            if self.exchange == nil { self.connectionGuard.requestEnded() }
            self.takeWaiting(context)
        }
        caller = Caller(address: isControl ? "local" : context.remoteAddress?.ipAddress ?? "unknown")
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        guard let unfinished = unfinished.take() else { return }
        isRequestComplete = true
        start(unfinished.request, id: unfinished.id, context).goOn(with: unfinished)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        outlet.whenRelieved = nil
    }

    /// Whether no request is answered here after the one that is.
    var isLastRequest: Bool { isInputClosed || isToEnd || server.lifecycle.phase == .draining }

    /// Whether what comes has to wait: a request is there whole and its response has not ended, or the client does not take
    /// those that have.
    private var isBusy: Bool { !isClosing && (!mayTake || !waiting.isEmpty) }
    private var mayTake: Bool { (exchange == nil || !isRequestComplete) && !outlet.isBackedUp }

    // MARK: - What comes

    func read(context: ChannelHandlerContext) {
        if isBusy {
            isReadPending = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        let part = unwrapInboundIn(data)
        if isBusy {
            waiting.append(.part(part))
        } else {
            take(part, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isClosing else { return }
        if isBusy, error is HTTPParserError {
            waiting.append(.error(error))
        } else {
            take(error, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            if waiting.isEmpty { takeInputClosed(context) } else { waiting.append(.inputClosed) }
        case is ConnectionShouldEnd:
            isToEnd = true
            closeIfDone(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        waiting.removeAll()
        exchange.take()?.clientLeft()
        context.fireChannelInactive()
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head): begin(head, context)
        case .body: break
        case .end:
            isRequestComplete = true
            if let hit = hit.take() {
                send(hit, context)
            } else if let exchange, exchange.isWaiting {
                Router.answer(exchange)
            }
        }
    }

    private func take(_ error: any Error, _ context: ChannelHandlerContext) {
        hit = nil
        // A request that breaks off has nobody waiting for its answer.
        guard let error = error as? HTTPParserError, error != .invalidEOFState, exchange == nil else {
            context.close(promise: nil)
            return
        }
        // The request that could not be read; it is answered as a GET, so that the answer has a body.
        let exchange = start(HTTPRequestHead(version: .http1_1, method: .GET, uri: ""), context)
        RequestCheck.Failure(error).respond(to: exchange)
    }

    private func takeInputClosed(_ context: ChannelHandlerContext) {
        isInputClosed = true
        closeIfDone(context)
    }

    private func takeWaiting(_ context: ChannelHandlerContext) {
        // A request that is answered at once ends here again, and this goes on with the next.
        guard !isTakingWaiting else { return }
        isTakingWaiting = true
        while !isClosing, mayTake, let next = waiting.popFirst() {
            switch next {
            case .part(let part): take(part, context)
            case .error(let error): take(error, context)
            case .inputClosed: takeInputClosed(context)
            }
        }
        isTakingWaiting = false
        if isReadPending, !isBusy {
            isReadPending = false
            context.read()
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        isRequestComplete = false
        if let hit = hit(for: head) {
            self.hit = hit
            return
        }
        let exchange = start(head, context)
        // The decoder takes what follows for the other protocol, which never comes, and would read no further request.
        if head.headers.contains(name: "upgrade") { exchange.mustClose = true }
        let limits = server.options.limits
        guard let failure = RequestCheck.failure(of: head, limits: limits, isControl: isControl) else { return }
        // Answered before its body, if any, has come: we read none.
        failure.respond(to: exchange)
    }

    private func start(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Exchange {
        var head = head
        // Clients that take us for a proxy write the whole URL; nothing after this needs to know.
        if let target = RequestTarget.originForm(of: head.uri) { head.uri = String(target) }
        return start(head, id: loop.requestIDs.id(for: head.headers), context)
    }

    private func start(_ head: HTTPRequestHead, id: String, _ context: ChannelHandlerContext) -> Exchange {
        connectionGuard.requestBegan()
        let exchange = Exchange(
            head,
            id: id,
            caller: caller,
            server: server,
            connection: self,
            outlet: outlet,
            context: context
        )
        self.exchange = exchange
        return exchange
    }

    // MARK: - Hits

    private func hit(for head: HTTPRequestHead) -> Hit? {
        guard head.version == .http1_1, head.method == .GET || head.method == .HEAD, !isControl else { return nil }
        let start = NIODeadline.now()
        guard let kept = loop.answers.answer(to: head.method, head.uri) else { return nil }
        let traits = RequestTraits(head.headers)
        guard traits.isPlain, let answer = kept.current(in: server.registry, server.files, for: caller, at: start)
        else { return nil }
        if answer !== kept { loop.keep(answer, for: head.method, head.uri) }
        let id = traits.hasRequestID ? loop.requestIDs.id(for: head.headers) : loop.requestIDs.next()
        return Hit(answer: answer, request: head, id: id, start: start)
    }

    private func send(_ hit: Hit, _ context: ChannelHandlerContext) {
        let closes = isLastRequest || !hit.request.isKeepAlive
        let end = ResponseEnd(id: hit.id, date: loop.clock.dateLine, persistence: closes ? .close : .usual)
        let (first, second) = hit.answer.pieces(ending: end, context.channel.allocator)
        let taken = second.map { outlet.send($0, after: first) } ?? outlet.send(first)
        if closes { close(context, after: taken) }
        noteEnd()
        server.activity.passed(at: hit.start)
        loop.log.note(hit.answer, id: hit.id, caller: caller, since: hit.start)
    }

    /// Closes the connection when the socket has taken the last response, or never will.
    private func close(_ context: ChannelHandlerContext, after taken: EventLoopFuture<Void>?) {
        isClosing = true
        guard let taken else {
            context.close(promise: nil)
            return
        }
        taken.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    }

    // MARK: - What the exchange tells

    func responseProgressed() {
        connectionGuard.responseProgressed()
    }

    /// The last part of a response is about to be written; the next request may come while it is.
    func responseWillEnd(_ ended: Exchange, closes: Bool) {
        if exchange === ended { exchange = nil }
        if closes { isClosing = true }
        responsesOnTheirWay += 1
        noteEnd()
    }

    /// Tells the guard of a response's end: a client that is to take more before it is read from is not idle.
    private func noteEnd() {
        if outlet.isBackedUp { connectionGuard.responseProgressed() } else { connectionGuard.requestEnded() }
    }

    /// The last part of a response is written.
    func responseHasEnded(_ context: ChannelHandlerContext) {
        takeWaiting(context)
    }

    /// The client's socket has taken the whole of a response, or never will.
    func responseWasTaken(_ context: ChannelHandlerContext) {
        responsesOnTheirWay -= 1
        closeIfDone(context)
    }

    // MARK: - The end

    /// Closes after a response that was the last.
    ///
    /// Closing a socket that holds unread bytes resets the connection, and a reset may overtake the response. So where more
    /// may be coming, such as a body that nobody wants, only our side is closed at first (`lingers`).
    func close(_ context: ChannelHandlerContext, lingers: Bool) {
        guard lingers else {
            context.close(promise: nil)
            return
        }
        context.close(mode: .output, promise: nil)
        // What was not read while the request was answered is read now, to be thrown away.
        if isReadPending {
            isReadPending = false
            context.read()
        }
        context.eventLoop.assumeIsolated()
            .scheduleTask(in: .seconds(1)) {
                context.close(promise: nil)
            }
    }

    /// Closes a connection that is not to be used again, once nothing is on its way to the client.
    private func closeIfDone(_ context: ChannelHandlerContext) {
        guard isInputClosed || isToEnd, !isClosing, exchange == nil, waiting.isEmpty, responsesOnTheirWay == 0 else {
            return
        }
        close(context, after: outlet.emptied())
    }
}
