import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// What has passed on a connection before an event loop takes it over.
enum ConnectionBeginning: Sendable {
    case nothing
    /// The client has sent these bytes.
    case received(ByteBuffer)
    /// The client's only request has been answered, but for this.
    case answered(but: UnfinishedResponse)

    var unfinished: UnfinishedResponse? {
        if case .answered(let unfinished) = self { unfinished } else { nil }
    }
}

/// What is still to be sent of a connection's only response, and what is to be noted when it has been.
struct UnfinishedResponse: Sendable {
    var request: HTTPRequestHead
    var id: String
    var record: AccessRecord
    /// What the response's head names as its content.
    var content: Digest?
    /// Comes first; may be empty.
    var bytes: ByteBuffer
    var file: (file: any StoredFile, part: Range<Int>)?
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
