import Locking
import Logging
import MirrorCore
import RegistryHTTP
import Settings

/// The mirror with its server.
///
///     made ──start──▶ serving ──stop──▶ stopped
///
/// Making it takes the data directory and opens the store; nothing is listened on before ``start()``.
struct Composition {
    private let mirror: AssembledMirror
    private let server: RegistryServer
    private let scrubber: Scrubber
    /// What goes on in the background while it serves.
    private let background = Locked<[Task<Void, Never>]>([])

    /// Blocks on the disk, and for `lockWait` on another owner of the data directory.
    init(
        _ settings: MirrorSettings,
        targets: [ServedTarget],
        lockWait: Duration?,
        log: LogWriter,
        logger: Logger
    ) throws {
        mirror = try AssembledMirror(settings, targets: targets, lockWait: lockWait, logger: logger)
        scrubber = Scrubber(mirror.caretaker)
        var options = RegistryServer.Options(settings, instanceID: mirror.instanceID)
        options.controlSocket = mirror.controlSocketPath
        options.accessLog = settings.log.accessLog(to: log)
        server = RegistryServer(
            options: options,
            registry: mirror.core,
            administration: QuotaSurvey(ledger: mirror.ledger, upstreams: mirror.upstreams.clients),
            cache: mirror.caretaker,
            warming: CacheWarmer(mirror.core),
            metrics: mirror.metrics,
            logger: logger
        )
    }

    /// Listens and serves; returns the addresses.
    func start() async throws -> [String] {
        let addresses = try await server.start()
        server.isReady = true
        mirror.ready()
        mirror.core.startUpkeep()
        background.withLock { $0.append(Task { [scrubber] in await scrubber.run() }) }
        return addresses
    }

    /// Drains, then ends what is under way, the youngest part first.
    ///
    /// - Parameters:
    ///   - limit: How long answers on their way may take.
    ///   - grace: For how long nothing must have been under way; requests are answered meanwhile.
    func stop(draining limit: Duration, grace: Duration = .zero) async {
        let tasks = background.withLock { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        // The core before the event loops: whoever still waits for an answer gets one.
        await server.drain(within: limit, grace: grace) { await mirror.core.shutDown() }
        await mirror.release()
    }

    /// Has a ``stop(draining:grace:)`` that is under way end at once.
    func cutShort() {
        server.cutShort()
    }
}
