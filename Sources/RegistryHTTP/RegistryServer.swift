import Locking
package import Logging
package import MirrorCore
import NIOCore
import NIOPosix
import Posix

/// The registry's edge: listens, answers clients from a ``Registry``, and drains.
///
///     made ──start──▶ listening ──drain──▶ draining ──quiet, time up, cut short──▶ closed
///
/// A server that was started must be drained, or its threads stay.
package final class RegistryServer: Sendable {
    private struct Bound {
        var channels: [any Channel] = []
        var lane: ExpressLane?
        var controlSocket: String?
        var reloads: [RepeatedTask] = []
    }

    /// So many connections may wait to be accepted.
    private static let backlog = 4096

    private let group: MultiThreadedEventLoopGroup
    private let pool: NIOThreadPool
    /// Internal for tests of its parts.
    let context: ServerContext
    private let bound = Locked(Bound())

    package init(
        options: Options,
        registry: any Registry,
        administration: any Administration,
        cache: any CacheAdministration,
        warming: (any WarmMirror)? = nil,
        metrics: Metrics,
        logger: Logger
    ) {
        // NIO knows the bounds of a container, and not those of the process: two loops on one processor only wait for each other.
        let processors = min(System.coreCount, Host.usableProcessors ?? .max)
        let eventLoops = options.eventLoops ?? processors
        group = MultiThreadedEventLoopGroup(numberOfThreads: eventLoops)
        // Threads for a disk, not for the processor: enough that some may wait for a slow one.
        pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        context = ServerContext(
            options: options,
            registry: registry,
            administration: administration,
            cache: cache,
            warming: warming,
            metrics: metrics,
            logger: logger,
            connections: Connections(limit: options.limits.connections),
            files: FileAccess(pool: pool, pageCache: options.pageCache),
            eventLoops: eventLoops
        )
    }

    /// Whether `/readyz` says so: false until it is set, and for good once draining.
    package var isReady: Bool {
        get { context.lifecycle.phase == .ready }
        set { context.lifecycle.set(isReady: newValue) }
    }

    /// Binds every address and starts to answer.
    ///
    /// - Returns: The bound addresses as `host:port`, in the order of the options; a port 0 has become a real one.
    /// - Throws: ``ListenError`` for the first address that cannot be bound, with nothing left bound.
    package func start() async throws(ListenError) -> [String] {
        do throws(ListenError) {
            var addresses: [String] = []
            var plain: [ListeningSocket] = []
            for listener in context.options.listeners {
                if let files = listener.tls {
                    addresses.append(try await bind(listener.address, files))
                } else {
                    let socket = try await listen(listener.address)
                    plain.append(socket)
                    addresses.append(Self.text(socket.address.host, socket.address.port))
                }
            }
            try startLane(plain, addresses)
            await bindControlSocket()
            return addresses
        } catch {
            await drain(within: .zero)
            throw error
        }
    }

    /// Says that it is not ready, answers until nothing is under way, for at most so long, and closes everything.
    ///
    /// Requests are answered all the while, on connections that close after the answer: whoever directs clients here
    /// (a load balancer, a Kubernetes Service) must first learn from `/readyz` that it should not. When no request of the
    /// registry API has been under way for `grace`, no more are taken.
    ///
    /// Only the first call does. `lastCall` is for ending whatever requests still wait for: their connections are closed
    /// when it is called, and the event loops end when it has returned.
    package func drain(within limit: Duration, grace: Duration = .zero, _ lastCall: () async -> Void = {}) async {
        guard context.lifecycle.drain() else { return }
        let end = NIODeadline.now() + TimeAmount(limit)
        let eventLoop = group.next()
        await quiet(for: TimeAmount(min(grace, limit)), until: end, on: eventLoop)
        await closeListeners()
        let isEmpty = context.connections.quiesce(on: eventLoop)
        let deadline = eventLoop.scheduleTask(deadline: end) { self.context.connections.closeAll() }
        // A call to cut that came before the last connection was admitted.
        if context.lifecycle.isCutShort { context.connections.closeAll() }
        try? await isEmpty.get()
        deadline.cancel()
        await lastCall()
        await stop()
    }

    /// Ends a draining at once, and cuts what is under way.
    package func cutShort() {
        context.lifecycle.cutShort()
        context.connections.closeAll()
    }

    /// Returns when nothing has been under way for so long, when the time is up, or when the draining is cut short.
    private func quiet(for grace: TimeAmount, until end: NIODeadline, on eventLoop: any EventLoop) async {
        let start = NIODeadline.now()
        let promise = eventLoop.makePromise(of: Void.self)
        // Looked at, and not told: a request then pays nothing for a draining that comes once.
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { [context] task in
            let now = NIODeadline.now()
            let isOver = context.lifecycle.isCutShort || now >= end
            guard isOver || context.activity.isQuiet(for: grace, since: start, at: now) else { return }
            task.cancel()
            promise.succeed()
        }
        try? await promise.futureResult.get()
    }

    /// Binds a listener for TLS; returns its address.
    private func bind(_ address: String, _ files: TLSFiles) async throws(ListenError) -> String {
        guard let (host, port) = Self.parse(address) else { throw .invalidAddress(address) }
        let certificates = try await loadCertificates(files, for: address)
        let bootstrap = bootstrap(ChannelSetup(server: context, certificates: certificates))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Accepted sockets inherit it, and need no call of their own.
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        do {
            let channel = try await bootstrap.bind(host: host, port: port).get()
            bound.withLock { $0.channels.append(channel) }
            guard let local = channel.localAddress, let host = local.ipAddress else { return "" }
            return Self.text(host, local.port ?? 0)
        } catch {
            throw ListenError(error, address: address)
        }
    }

    /// Binds a listener for plain HTTP, whose connections the express lane will take.
    private func listen(_ address: String) async throws(ListenError) -> ListeningSocket {
        guard let (host, port) = Self.parse(address) else { throw .invalidAddress(address) }
        do {
            // A name may have to be looked up, which takes its time.
            return try await pool.runIfActive {
                switch try SocketAddress.makeAddressResolvingHost(host, port: port) {
                case .v4(let address): try ListeningSocket(.v4(address.address), backlog: Self.backlog)
                case .v6(let address): try ListeningSocket(.v6(address.address), backlog: Self.backlog)
                case .unixDomainSocket: throw SocketAddressError.unsupported
                }
            }
        } catch {
            throw ListenError(error, address: address)
        }
    }

    private func startLane(_ listeners: [ListeningSocket], _ addresses: [String]) throws(ListenError) {
        guard !listeners.isEmpty, let answers = context.expressAnswers else { return }
        do throws(SystemCallError) {
            let lane = try ExpressLane(listeners, server: context, answers: answers, group: group)
            bound.withLock { $0.lane = lane }
        } catch {
            throw .failed(address: addresses.joined(separator: ", "), reason: "\(error)")
        }
    }

    /// Makes the control socket, or logs why there is none: the mirror serves its clients all the same.
    private func bindControlSocket() async {
        guard let path = context.options.controlSocket else { return }
        do {
            let socket = try await pool.runIfActive { try LocalSocket.bind(path).takeRawValue() }
            bound.withLock { $0.controlSocket = path }
            let setup = ChannelSetup(server: context, certificates: nil, isControl: true)
            let channel = try await bootstrap(setup).withBoundSocket(socket).get()
            bound.withLock { $0.channels.append(channel) }
        } catch {
            context.logger.warning(
                "no control socket: commands will not find this mirror; put data_dir where sockets can be made",
                metadata: ["error": "\(error)"]
            )
        }
    }

    private func bootstrap(_ setup: ChannelSetup) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(Self.backlog))
            // A crowd that comes at once is let in at once, before the loop turns to sending.
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try setup.prepare(channel) }
            }
    }

    private func loadCertificates(_ files: TLSFiles, for address: String) async throws(ListenError) -> Certificates {
        let certificates: Certificates
        do {
            certificates = try await pool.runIfActive { try Certificates(files) }
        } catch {
            throw .certificate(address: address, reason: "\(error)")
        }
        let interval = TimeAmount(context.options.certificateInterval)
        let task = group.next()
            .scheduleRepeatedTask(initialDelay: interval, delay: interval) { [pool, context] _ in
                pool.submit { _ in certificates.reload(logger: context.logger) }
            }
        bound.withLock { $0.reloads.append(task) }
        return certificates
    }

    private func closeListeners() async {
        let bound = bound.withLock { bound in
            defer { bound = Bound() }
            return bound
        }
        for task in bound.reloads { task.cancel() }
        if let lane = bound.lane {
            await lane.stop()
            // Each event loop has then seen what was handed to it, and those who ask it to close its connections reach all.
            for loop in group.makeIterator() { try? await loop.submit {}.get() }
        }
        // First the name, so that nobody finds a socket that does not answer.
        if let path = bound.controlSocket { _ = try? await pool.runIfActive { try File.remove(path) } }
        for channel in bound.channels { try? await channel.close() }
    }

    private func stop() async {
        await closeListeners()
        try? await group.shutdownGracefully()
        try? await pool.shutdownGracefully()
    }

    /// Takes an address apart; the host is empty for all interfaces.
    private static func parse(_ address: String) -> (host: String, port: Int)? {
        guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]) else {
            return nil
        }
        let host = address[..<colon]
        if host.isEmpty { return ("::", Int(port)) }
        if host.hasPrefix("["), host.hasSuffix("]") { return (String(host.dropFirst().dropLast()), Int(port)) }
        return host.contains(":") ? nil : (String(host), Int(port))
    }

    private static func text(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
