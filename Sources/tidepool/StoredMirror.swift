import DiskStore
import LMDBIndex
import Logging
import MirrorCore
import Posix
import Settings
import UpstreamHTTP

/// The mirror without its server, for looking after its data directory while nobody serves from it.
///
/// Owns the directory from its making to ``close()``.
struct StoredMirror {
    let caretaker: Caretaker
    private let directory: DataDirectory
    private let store: DiskBlobStore
    private let index: LMDBCacheIndex
    private let upstreams: UpstreamAssembly
    private let core: PullThrough

    struct NoDirectory: Error, CustomStringConvertible {
        let path: String

        var description: String { "there is no cache at \(path)" }
    }

    /// Blocks on the disk; without `makesDirectory` there must be a cache already.
    init(
        _ settings: MirrorSettings,
        targets: [ServedTarget],
        makesDirectory: Bool = false,
        logger: Logger
    ) throws {
        let path = settings.dataDirectory
        if !makesDirectory {
            guard try File.status(of: path) != nil else { throw NoDirectory(path: path) }
        }
        let metrics = Metrics()
        directory = try DataDirectory.acquire(path: path)
        store = try DiskBlobStore(root: path, logger: logger)
        index = try LMDBCacheIndex(
            directory: "\(path)/index",
            options: .init(mapSize: settings.cache.indexMapSize.bytes),
            logger: logger
        )
        let ledger = LocalLedger(settings, index: index, metrics: metrics, logger: logger)
        upstreams = try UpstreamAssembly(
            settings.upstreams,
            in: .init(instanceID: InstanceID.make(), ledger: ledger, metrics: metrics, logger: logger)
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
        index.ready()
    }

    /// The mirror for those who fill it.
    var warmer: CacheWarmer { CacheWarmer(core) }

    /// Has the cache looked after while it grows: what a crash has left, and the room on the disk.
    func startUpkeep() { core.startUpkeep() }

    /// Ends what is under way, and gives the directory back.
    func close() async {
        await core.shutDown()
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
