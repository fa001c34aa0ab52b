import Curl
import DiskStore
import LMDBIndex
import Logging
import MirrorCore
import OCI
import Posix
import RegistryHTTP
import Settings
import UpstreamHTTP

/// The mirror, put together: the only place where the adapters meet.
///
///     made ──start──▶ serving ──stop──▶ stopped
///
/// Making it takes the data directory and opens the store; nothing is listened on before ``start()``.
struct Composition {
    private let dataDirectory: DataDirectory
    private let store: DiskBlobStore
    private let index: LMDBCacheIndex
    private let loops: [TransferLoop]
    private let core: PullThrough
    private let server: RegistryServer

    /// Blocks on the disk, and for `lockWait` on another owner of the data directory.
    init(_ settings: MirrorSettings, lockWait: Duration?, logger: Logger) throws {
        let metrics = Metrics()
        let instanceID = Self.makeInstanceID()
        dataDirectory = try DataDirectory.acquire(path: settings.dataDirectory, waitingUpTo: lockWait)
        store = try DiskBlobStore(root: settings.dataDirectory, logger: logger)
        index = try LMDBCacheIndex(
            directory: "\(settings.dataDirectory)/index",
            options: .init(mapSize: settings.cache.indexMapSize.bytes),
            logger: logger
        )
        let ledger = LocalLedger(
            index: index,
            reserves: Dictionary(
                uniqueKeysWithValues: settings.upstreams.map { (UpstreamName($0.name), $0.reserve) }
            ),
            metrics: metrics,
            logger: logger
        )
        var loops: [TransferLoop] = []
        var upstreams: [UpstreamName: any Upstream] = [:]
        for upstream in settings.upstreams {
            let name = UpstreamName(upstream.name)
            let transfers = TransferLoop(name: "curl-\(loops.count)")
            loops.append(transfers)
            upstreams[name] = try RegistryUpstream(
                UpstreamOptions(upstream, instanceID: instanceID),
                transfers: transfers,
                ledger: ledger,
                metrics: metrics,
                logger: logger
            )
        }
        self.loops = loops
        core = PullThrough(
            directory: UpstreamDirectory(
                upstreams: Dictionary(
                    uniqueKeysWithValues: settings.upstreams.map { (UpstreamName($0.name), $0.aliases) }
                ),
                defaultUpstream: UpstreamName(settings.defaultUpstream)
            ),
            upstreams: upstreams,
            policies: Dictionary(
                uniqueKeysWithValues: settings.upstreams.map { (UpstreamName($0.name), UpstreamPolicy($0)) }
            ),
            store: store,
            index: index,
            ledger: ledger,
            metrics: metrics,
            logger: logger
        )
        server = RegistryServer(
            options: RegistryServer.Options(settings, instanceID: instanceID),
            registry: core,
            metrics: metrics,
            logger: logger
        )
    }

    /// Listens and serves; returns the addresses.
    func start() async throws -> [String] {
        let addresses = try await server.start()
        server.isReady = true
        index.ready()
        return addresses
    }

    /// Drains, then ends what is under way, the youngest part first.
    func stop(draining limit: Duration) async {
        // The core before the event loops: whoever still waits for an answer gets one.
        await server.drain(within: limit) { await core.shutDown() }
        await withCheckedContinuation { continuation in
            // Ending threads waits for them; the thread that does ends itself.
            _ = DedicatedThread(name: "shutdown") {
                for loop in loops { loop.shutDown() }
                store.close()
                index.close()
                dataDirectory.release()
                continuation.resume()
            }
        }
    }

    /// Tells this process from every other mirror, for loop detection.
    private static func makeInstanceID() -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
