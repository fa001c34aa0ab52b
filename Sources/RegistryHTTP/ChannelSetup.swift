import NIOCore
import NIOHTTP1
import NIOSSL

/// Builds the pipeline of an accepted connection.
///
///     [TLS, or what an express lane has read] → ConnectionGuard → HTTP decoder → RequestHandler
///
/// The handlers have names because NIO would put one together for each.
///
/// There is no encoder: a response is written as the bytes that it is, those of a hit out of one piece of memory.
struct ChannelSetup: Sendable {
    let server: ServerContext
    let certificates: Certificates?
    /// Whether this is the control socket.
    var isControl = false

    /// Prepares a connection that its listener's channel has accepted.
    ///
    /// Runs on the connection's event loop, as the other does.
    func prepare(_ channel: any Channel) throws {
        // An operator gets in even when clients take up all there is.
        guard let admission = server.connections.admit(isBounded: !isControl) else { throw ConnectionRefused() }
        try prepare(channel, admission, after: .nothing)
    }

    /// Prepares a connection that was admitted elsewhere, and where something may have passed already.
    func prepare(_ channel: any Channel, _ admission: Admission, after beginning: ConnectionBeginning) throws {
        let loop = server.shared(on: channel.eventLoop)
        let limits = server.options.limits
        let isPlain = certificates == nil
        let connectionGuard = ConnectionGuard(limits, admission: admission, loop: loop, expectsPlainText: isPlain)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(connectionGuard, name: "guard")
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
                outlet: Outlet(channel, isPlain: isPlain),
                unfinished: beginning.unfinished,
                sendsFileRegions: isPlain,
                isControl: isControl
            ),
            name: "requests"
        )
        if case .received(let bytes) = beginning {
            try pipeline.addHandler(FirstBytes(bytes), name: "first", position: .first)
        }
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
