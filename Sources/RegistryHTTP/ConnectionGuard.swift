import NIOCore
import NIOHTTP1

/// Closes connections that take up a place without using it, and those that are not HTTP.
///
///     head ──request began──▶ responding ──request ended──▶ idle ──first byte──▶ head
///
/// Stands before the HTTP decoder, and after TLS. Its event loop has it look at the time now and then: neither a request nor
/// a connection costs a timer.
final class ConnectionGuard: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private enum Phase {
        /// Waiting for the end of a request's head, of which so many bytes have come.
        case head(since: NIODeadline, bytes: Int)
        /// Since the client was last seen to take bytes, or had none to take.
        case responding(since: NIODeadline)
        /// Since the response ended, or the client was last seen to take what was left of it.
        case idle(since: NIODeadline)
    }

    /// Where it stands among the connections of its event loop, which alone uses it.
    var place = 0

    private let limits: RegistryServer.Limits
    private let loop: LoopContext
    private var admission: Admission?
    private var context: ChannelHandlerContext?
    private let expectsPlainText: Bool
    private var phase = Phase.head(since: .now(), bytes: 0)
    private var isFirstRead = true
    private var isRefused = false
    /// The bytes that waited for the client at the last check.
    private var waitingBytes = 0

    init(_ limits: RegistryServer.Limits, admission: Admission, loop: LoopContext, expectsPlainText: Bool) {
        self.limits = limits
        self.admission = admission
        self.loop = loop
        self.expectsPlainText = expectsPlainText
    }

    /// A request's head has been read.
    func requestBegan() {
        phase = .responding(since: .now())
    }

    /// More of the response has gone out, so the client is alive.
    func responseProgressed() {
        phase = .responding(since: .now())
    }

    func requestEnded() {
        phase = .idle(since: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.connections.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        loop.connections.remove(self)
        admission = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        let bytes = unwrapInboundIn(data)
        if isFirstRead {
            isFirstRead = false
            // A TLS hello on a plain port: podman, skopeo and crane try TLS first, and a prompt close is what makes
            // them go on to plain HTTP.
            if expectsPlainText, bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == 0x16 {
                isRefused = true
                context.close(promise: nil)
                return
            }
        }
        count(bytes.readableBytes)
        context.fireChannelRead(data)
        // The decoder has had its turn: what is still counted belongs to a head without an end.
        if case .head(_, let bytes) = phase, bytes > limits.headerBytes + limits.uriBytes {
            isRefused = true
            context.fireErrorCaught(HTTPParserError.headerOverflow)
        }
    }

    private func count(_ bytes: Int) {
        switch phase {
        case .head(let since, let earlier): phase = .head(since: since, bytes: earlier + bytes)
        case .idle: phase = .head(since: .now(), bytes: bytes)
        case .responding: break
        }
    }

    /// Has the connection close when the response under way has ended, or now.
    func endConnection() {
        context?.fireUserInboundEventTriggered(ConnectionShouldEnd())
    }

    func closeConnection() {
        context?.close(promise: nil)
    }

    /// Closes the connection if what it waits for is overdue.
    func check(at now: NIODeadline) {
        guard let context, context.channel.isActive else { return }
        let waiting = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let hasMoved = waiting != waitingBytes
        waitingBytes = waiting
        let start: NIODeadline
        let limit: Duration
        switch phase {
        case .head(let since, _): (start, limit) = (since, limits.headTimeout)
        case .responding(let since):
            // Where nothing waits for the client, it waits for us.
            start = hasMoved || waiting == 0 ? now : since
            limit = limits.sendStall
            phase = .responding(since: start)
        case .idle(let since):
            start = hasMoved ? now : since
            limit = limits.idleTimeout
            phase = .idle(since: start)
        }
        if now - start >= TimeAmount(limit) { context.close(promise: nil) }
    }
}
