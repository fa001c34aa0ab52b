import DiskStore
import LMDBIndex
import Logging
import MirrorCore
import Posix
import RegistryHTTP
import Settings

/// The quota as the data directory has it, read without a running mirror.
///
/// Owns the directory from its making to ``close()``. A directory that does not exist is not made: then nothing is known,
/// and what is learned is not kept.
struct StoredQuota {
    private let settings: MirrorSettings
    private let logger: Logger
    private let directory: DataDirectory?
    private let index: LMDBCacheIndex?

    /// Blocks on the disk.
    init(_ settings: MirrorSettings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        guard try File.status(of: settings.dataDirectory) != nil else {
            directory = nil
            index = nil
            return
        }
        directory = try DataDirectory.acquire(path: settings.dataDirectory)
        index = try LMDBCacheIndex(
            directory: "\(settings.dataDirectory)/index",
            options: .init(mapSize: settings.cache.indexMapSize.bytes),
            logger: logger
        )
    }

    /// What a mirror would say; Docker Hub is asked where nothing is known of it.
    func report() async throws -> QuotaReport {
        let metrics = Metrics()
        let store: any LedgerStore = if let index { index } else { ForgetfulLedgerStore() }
        let ledger = LocalLedger(settings, index: store, metrics: metrics, logger: logger)
        let upstreams = try UpstreamAssembly(
            settings.upstreams,
            in: .init(instanceID: InstanceID.make(), ledger: ledger, metrics: metrics, logger: logger)
        )
        let survey = QuotaSurvey(ledger: ledger, upstreams: upstreams.clients)
        let report = QuotaReport(await survey.quota(mayAsk: true))
        upstreams.shutDown()
        return report
    }

    /// Writes down what was learned, and gives the directory back; blocks on the disk.
    func close() {
        index?.close()
        directory?.release()
    }
}
