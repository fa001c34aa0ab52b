import NIOCore
import NIOHTTP1
import NIOSSL

/// Builds the pipeline of an accepted connection.
///
///     [TLS] → ConnectionGuard → HTTP decoder → RequestHandler
///
/// The handlers have names because NIO would put one together for each.
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
        guard server.connections.admit(isBounded: !isControl) else { throw ConnectionRefused() }
        let loop = server.shared(on: channel.eventLoop)
        let connectionGuard = ConnectionGuard(server: server, loop: loop, expectsPlainText: certificates == nil)
        let pipeline = channel.pipeline.syncOperations
        do {
            try pipeline.addHandler(connectionGuard, name: "guard")
        } catch {
            // From here on, the guard's going counts the connection out.
            server.connections.leave()
            throw error
        }
        try setOptions(of: channel)
        if let certificates {
            let handler = NIOSSLServerHandler(context: certificates.context)
            try pipeline.addHandler(handler, name: "tls", position: .first)
        }
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes,
            informationalResponseStrategy: .drop,
            limitConfiguration: decoderLimits
        )
        try pipeline.addHandler(ByteToMessageHandler(decoder), name: "decoder")
        try pipeline.addHandler(
            RequestHandler(
                server: server,
                loop: loop,
                connectionGuard: connectionGuard,
                sendsFileRegions: certificates == nil,
                isControl: isControl
            ),
            name: "requests"
        )
    }

    /// Here and not by the bootstrap, which makes a chain of futures of it for each connection.
    private func setOptions(of channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        // Clients may close their side when they have asked, and still read (RFC 9112, 9.6).
        try options.setOption(.allowRemoteHalfClosure, value: true)
        // Requests are small; the default grows to 64 KiB for each connection.
        try options.setOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: 16384)
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
