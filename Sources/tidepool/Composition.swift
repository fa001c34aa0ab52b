import DiskStore
import LMDBIndex
import Locking
import Logging
import MirrorCore
import OCI
import Posix
import RegistryHTTP
import Settings

/// The mirror, put together: the only place where the adapters meet.
///
///     made ──start──▶ serving ──stop──▶ stopped
///
/// Making it takes the data directory and opens the store; nothing is listened on before ``start()``.
struct Composition {
    private let dataDirectory: DataDirectory
    private let store: DiskBlobStore
    private let index: LMDBCacheIndex
    private let upstreams: UpstreamAssembly
    private let core: PullThrough
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
        let metrics = Metrics()
        let instanceID = InstanceID.make()
        dataDirectory = try DataDirectory.acquire(path: settings.dataDirectory, waitingUpTo: lockWait)
        store = try DiskBlobStore(root: settings.dataDirectory, logger: logger)
        index = try LMDBCacheIndex(
            directory: "\(settings.dataDirectory)/index",
            options: .init(mapSize: settings.cache.indexMapSize.bytes),
            logger: logger
        )
        let ledger = LocalLedger(settings, index: index, metrics: metrics, logger: logger)
        upstreams = try UpstreamAssembly(
            settings.upstreams,
            in: .init(instanceID: instanceID, ledger: ledger, metrics: metrics, logger: logger)
        )
        core = try PullThrough(
            settings,
            targets: targets,
            upstreams: upstreams,
            store: store,
            index: index,
            ledger: ledger,
            metrics: metrics,
            logger: logger
        )
        let caretaker = Caretaker(of: core, index: index, store: store) { [index] in index.usedBytes }
        scrubber = Scrubber(caretaker)
        var options = RegistryServer.Options(settings, instanceID: instanceID)
        options.controlSocket = dataDirectory.controlSocketPath
        options.accessLog = settings.log.accessLog(to: log)
        server = RegistryServer(
            options: options,
            registry: core,
            administration: QuotaSurvey(ledger: ledger, upstreams: upstreams.clients),
            cache: caretaker,
            warming: CacheWarmer(core),
            metrics: metrics,
            logger: logger
        )
    }

    /// Listens and serves; returns the addresses.
    func start() async throws -> [String] {
        let addresses = try await server.start()
        server.isReady = true
        index.ready()
        core.startUpkeep()
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
        await server.drain(within: limit, grace: grace) { await core.shutDown() }
        await withCheckedContinuation { continuation in
            // Ending threads waits for them; the thread that does ends itself.
            _ = DedicatedThread(name: "shutdown") {
                upstreams.shutDown()
                store.close()
                index.close()
                dataDirectory.release()
                continuation.resume()
            }
        }
    }

    /// Has a ``stop(draining:grace:)`` that is under way end at once.
    func cutShort() {
        server.cutShort()
    }
}
