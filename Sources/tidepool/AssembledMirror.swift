import DiskStore
import LMDBIndex
import Logging
import MirrorCore
import Posix
import Settings
import UpstreamHTTP

/// The core with its adapters: the only place where these meet.
///
/// Owns the data directory from its making to ``release()``.
struct AssembledMirror {
    let instanceID = InstanceID.make()
    let metrics = Metrics()
    let ledger: LocalLedger
    let upstreams: UpstreamAssembly
    let core: PullThrough
    let caretaker: Caretaker
    private let directory: DataDirectory
    private let store: DiskBlobStore
    private let index: LMDBCacheIndex

    /// Blocks on the disk, and for `lockWait` on another owner of the data directory.
    init(
        _ settings: MirrorSettings,
        targets: [ServedTarget],
        lockWait: Duration? = nil,
        logger: Logger
    ) throws {
        directory = try DataDirectory.acquire(path: settings.dataDirectory, waitingUpTo: lockWait)
        store = try DiskBlobStore(root: settings.dataDirectory, logger: logger)
        index = try LMDBCacheIndex(
            directory: "\(settings.dataDirectory)/index",
            options: .init(mapSize: settings.cache.indexMapSize.bytes),
            logger: logger
        )
        ledger = LocalLedger(settings, index: index, metrics: metrics, logger: logger)
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
        caretaker = Caretaker(of: core, index: index, store: store) { [index] in index.usedBytes }
    }

    /// Where commands on this machine reach the server.
    var controlSocketPath: String { directory.controlSocketPath }

    /// The process has come so far that whatever ends it now, it is not the opening of the index.
    func ready() { index.ready() }

    /// Gives the directory back, once the core has been shut down.
    func release() async {
        await withCheckedContinuation { continuation in
            // Ending threads waits for them; the thread that does ends itself.
            _ = DedicatedThread(name: "shutdown") {
                upstreams.shutDown()
                store.close()
                index.close()
                directory.release()
                continuation.resume()
            }
        }
    }
}

extension PullThrough {
    /// The mirror as the settings want it; blocks on the disk for a moment.
    convenience init(
        _ settings: MirrorSettings,
        targets: [ServedTarget],
        upstreams: UpstreamAssembly,
        store: any BlobStore,
        index: any CacheInventory,
        ledger: any QuotaLedger,
        metrics: Metrics,
        logger: Logger
    ) throws {
        self.init(
            directory: UpstreamDirectory(settings, targets: targets),
            upstreams: upstreams.clients,
            policies: Dictionary(
                uniqueKeysWithValues: settings.upstreams.map { (UpstreamName($0.name), UpstreamPolicy($0)) }
            ),
            contentSources: upstreams.contentSources,
            store: store,
            index: index,
            space: try SpaceLimits(settings.cache, in: settings.dataDirectory),
            ledger: ledger,
            metrics: metrics,
            logger: logger
        )
    }
}
