import NIOCore
import NIOHTTP1
import NIOSSL

/// Builds the pipeline of an accepted connection.
///
///     [TLS] → ConnectionGuard → HTTP decoder → RequestHandler
///
/// There is no encoder: a response is written as the bytes that it is, those of a hit out of one piece of memory.
struct ChannelSetup: Sendable {
    let server: ServerContext
    let certificates: Certificates?
    /// Whether this is the control socket.
    var isControl = false

    /// Runs on the connection's event loop.
    func prepare(_ channel: any Channel) throws {
        // An operator gets in even when clients take up all there is.
        guard server.connections.admit(channel, isBounded: !isControl) else { throw ConnectionRefused() }
        let pipeline = channel.pipeline.syncOperations
        if let certificates {
            try pipeline.addHandler(NIOSSLServerHandler(context: certificates.context))
        }
        let connectionGuard = ConnectionGuard(limits: server.options.limits, expectsPlainText: certificates == nil)
        try pipeline.addHandler(connectionGuard)
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes,
            informationalResponseStrategy: .drop,
            limitConfiguration: decoderLimits
        )
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(
            RequestHandler(
                server: server,
                loop: server.shared(on: channel.eventLoop),
                connectionGuard: connectionGuard,
                sendsFileRegions: certificates == nil,
                isControl: isControl
            )
        )
    }

    private var decoderLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = server.options.limits.headerBytes
        limits.maxHeaderListSize = server.options.limits.headerBytes
        limits.maxHeaderFieldCount = server.options.limits.headerCount
        return limits
    }
}

/// There are too many connections, or the server drains; the connection is closed.
struct ConnectionRefused: Error {}
