import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Reads requests from one connection and has them answered, one at a time.
///
/// A client may close its side after its last request (`shutdown`, or TLS's `close_notify`) and read on: the response is
/// sent to its end. One that has left altogether looks the same until something is sent to it.
///
/// `HTTPServerPipelineHandler` before it holds back pipelined requests, and stops reading while one is answered.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let sendsFileRegions: Bool
    let isControl: Bool
    private let server: ServerContext
    private let connectionGuard: ConnectionGuard
    private let requestIDs = RequestIDs()
    private var caller = Caller(address: "")
    /// The request whose head has come and whose response has not ended.
    private var exchange: Exchange?
    private var isClosing = false
    /// The client has closed its side, and so sends no more requests.
    private var isInputClosed = false
    /// The server has asked for the end of this connection.
    private var isToEnd = false
    /// Responses that have ended here, and that the client's socket has not taken whole.
    private var responsesOnTheirWay = 0

    init(server: ServerContext, connectionGuard: ConnectionGuard, sendsFileRegions: Bool, isControl: Bool) {
        self.server = server
        self.connectionGuard = connectionGuard
        self.sendsFileRegions = sendsFileRegions
        self.isControl = isControl
    }

    func handlerAdded(context: ChannelHandlerContext) {
        caller = Caller(address: isControl ? "local" : context.remoteAddress?.ipAddress ?? "unknown")
    }

    /// Whether no request is answered here after the one that is.
    var isLastRequest: Bool { isInputClosed || isToEnd || server.lifecycle.phase == .draining }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body: break
        case .end: if let exchange, exchange.isWaiting { Router.answer(exchange) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isClosing else { return }
        // A request that breaks off has nobody waiting for its answer.
        guard let error = error as? HTTPParserError, error != .invalidEOFState, exchange == nil else {
            context.close(promise: nil)
            return
        }
        // The request that could not be read; it is answered as a GET, so that the answer has a body.
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "")
        let exchange = start(head, context)
        RequestCheck.Failure(error).respond(to: exchange)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            closeIfDone(context)
        case is ConnectionShouldEnd:
            isToEnd = true
            closeIfDone(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        exchange.take()?.clientLeft()
        context.fireChannelInactive()
    }

    func responseProgressed() {
        connectionGuard.responseProgressed()
    }

    /// The last part of a response is about to be written; the next request may come while it is.
    func responseWillEnd(_ ended: Exchange, closes: Bool) {
        if exchange === ended { exchange = nil }
        if closes { isClosing = true }
        responsesOnTheirWay += 1
        connectionGuard.requestEnded()
    }

    /// The client's socket has taken the whole of a response, or never will.
    func responseWasTaken(_ context: ChannelHandlerContext) {
        responsesOnTheirWay -= 1
        closeIfDone(context)
    }

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
        context.eventLoop.assumeIsolated()
            .scheduleTask(in: .seconds(1)) {
                context.close(promise: nil)
            }
    }

    /// Closes a connection that is not to be used again, once nothing is on its way to the client.
    private func closeIfDone(_ context: ChannelHandlerContext) {
        guard isInputClosed || isToEnd, !isClosing, exchange == nil, responsesOnTheirWay == 0 else { return }
        isClosing = true
        context.close(promise: nil)
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let exchange = start(head, context)
        // The decoder takes what follows for the other protocol, which never comes, and would read no further request.
        if head.headers.contains(name: "upgrade") { exchange.mustClose = true }
        let limits = server.options.limits
        guard let failure = RequestCheck.failure(of: head, limits: limits, isControl: isControl) else { return }
        // Answered before its body, if any, has come: we read none.
        failure.respond(to: exchange)
    }

    private func start(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Exchange {
        connectionGuard.requestBegan()
        var head = head
        // Clients that take us for a proxy write the whole URL; nothing after this needs to know.
        if let target = RequestTarget.originForm(of: head.uri) { head.uri = String(target) }
        let exchange = Exchange(
            head,
            id: requestIDs.id(for: head.headers),
            caller: caller,
            server: server,
            connection: self,
            context: context
        )
        self.exchange = exchange
        return exchange
    }
}
