import NIOCore

/// What has passed on a connection before an event loop takes it over.
enum ConnectionBeginning: Sendable {
    case nothing
    /// The client has sent these bytes.
    case received(ByteBuffer)
    /// The client's only request has been answered, but for these bytes.
    case answered(rest: ByteBuffer)
}

/// Lets the handlers behind it read what was read from the connection before it had a channel.
///
/// They come first: a channel reads from its socket after it has told its handlers that it is active, in the same turn of the
/// event loop. Then this is no longer needed, and goes.
final class FirstBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let bytes: ByteBuffer

    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        context.fireChannelRead(Self.wrapInboundOut(bytes))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

/// Sends the rest of a connection's only response, and closes it; what the client still sends is dropped.
///
/// How long the client may take no byte is for the ``ConnectionGuard`` behind it, which does not see what is dropped.
final class LastBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = IOData

    private let bytes: ByteBuffer

    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        context.writeAndFlush(Self.wrapOutboundOut(.byteBuffer(bytes)))
            .assumeIsolated()
            .whenComplete { _ in context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Clients may close their side when they have asked, and still read.
        if case ChannelEvent.inputClosed = event { return }
        context.fireUserInboundEventTriggered(event)
    }
}
