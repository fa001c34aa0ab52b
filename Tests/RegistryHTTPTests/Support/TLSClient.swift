import NIOCore
import NIOPosix
import NIOSSL

/// Sends one request over TLS and returns all that comes back, until the server closes.
///
/// Trusts that one certificate only.
func tlsExchange(
    _ request: String,
    with address: String,
    trusting certificate: String,
    closingOutput: Bool = false
) async throws -> [UInt8] {
    let port = Int(address.split(separator: ":").last ?? "") ?? 0
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)))
    configuration.certificateVerification = .noHostnameVerification
    let context = try NIOSSLContext(configuration: configuration)
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let received = eventLoop.makePromise(of: [UInt8].self)
    let channel = try await ClientBootstrap(group: eventLoop)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                try pipeline.addHandler(Collector(received))
            }
        }
        .connect(host: "127.0.0.1", port: port)
        .get()
    channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
    if closingOutput { channel.close(mode: .output, promise: nil) }
    return try await received.futureResult.get()
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: EventLoopPromise<[UInt8]>
    private var bytes: [UInt8] = []
    private var error: (any Error)?

    init(_ received: EventLoopPromise<[UInt8]>) {
        self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = self.error ?? error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // A handshake that failed is an error; after some bytes, whatever ended the connection is what ended it.
        if let error, bytes.isEmpty { received.fail(error) } else { received.succeed(bytes) }
    }
}
