import MirrorCore
import NIOCore
import NIOHTTP1

/// Reads requests from one connection and has them answered, one at a time.
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

    init(server: ServerContext, connectionGuard: ConnectionGuard, sendsFileRegions: Bool, isControl: Bool) {
        self.server = server
        self.connectionGuard = connectionGuard
        self.sendsFileRegions = sendsFileRegions
        self.isControl = isControl
    }

    func handlerAdded(context: ChannelHandlerContext) {
        caller = Caller(address: isControl ? "local" : context.remoteAddress?.ipAddress ?? "unknown")
    }

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
        guard let error = error as? HTTPParserError, exchange == nil else {
            context.close(promise: nil)
            return
        }
        // The request that could not be read; it is answered as a GET, so that the answer has a body.
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "")
        let exchange = start(head, context)
        RequestCheck.Failure(error).respond(to: exchange)
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
        connectionGuard.requestEnded()
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

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let exchange = start(head, context)
        guard let failure = RequestCheck.failure(of: head, limits: server.options.limits) else { return }
        // Answered before its body, if any, has come: we read none.
        failure.respond(to: exchange)
    }

    private func start(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Exchange {
        connectionGuard.requestBegan()
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
