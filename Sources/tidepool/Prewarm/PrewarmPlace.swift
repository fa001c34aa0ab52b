import Curl
import DiskStore
import Logging
import MirrorCore
import Ocync
import Posix
import Prewarm
import Settings
import UpstreamHTTP

/// The mirror that is warmed, and what becomes of it afterwards.
struct PrewarmPlace {
    let mirror: any WarmMirror
    /// Registries of the ocync file that cannot be asked from here, by alias, and why.
    var refused: [String: String] = [:]
    /// Ends what is under way, and gives back what was taken.
    let close: @Sendable () async -> Void

    /// The owner of the data directory; this process when there is none.
    static func find(
        _ loaded: LoadedMirror,
        _ configuration: OcyncConfiguration,
        _ logger: Logger
    ) async throws -> PrewarmPlace {
        let directory = loaded.settings.dataDirectory
        let socket = "\(directory)/control.sock"
        if let mirror = try await ControlMirror.connect(to: socket) {
            return PrewarmPlace(mirror: mirror) { await mirror.close() }
        }
        do {
            return try alone(loaded, configuration, logger)
        } catch let error as DataDirectoryError {
            throw ControlFailure(error, directory, socket: socket) ?? error
        }
    }

    /// Takes the data directory: nobody serves from it.
    private static func alone(
        _ loaded: LoadedMirror,
        _ configuration: OcyncConfiguration,
        _ logger: Logger
    ) throws -> PrewarmPlace {
        let lent = LentCredentials(of: configuration, to: loaded.settings)
        let stored = try StoredMirror(lent.settings, targets: loaded.targets, makesDirectory: true, logger: logger)
        stored.startUpkeep()
        return PrewarmPlace(mirror: stored.warmer, refused: lent.refused) { await stored.close() }
    }

    /// A mirror elsewhere, which is pulled from.
    static func remote(_ url: EndpointURL, _ logger: Logger) throws -> PrewarmPlace {
        var options = UpstreamOptions(
            name: UpstreamName(url.authority),
            endpoint: "\(url)",
            instanceID: InstanceID.make(),
            version: Release.version
        )
        options.credentials = .anonymous
        // The mirror takes its time (`answer_within`), and says so in its answer.
        options.timeouts.head = .seconds(40)
        options.timeouts.answerWithin = .seconds(60)
        let transfers = TransferLoop(name: "curl-0")
        let metrics = Metrics()
        let ledger = LocalLedger(index: ForgetfulLedgerStore(), reserves: [:], metrics: metrics, logger: logger)
        let client = try RegistryUpstream(
            options,
            transfers: transfers,
            ledger: ledger,
            metrics: metrics,
            logger: logger
        )
        return PrewarmPlace(mirror: RemoteMirror(client)) {
            await withCheckedContinuation { continuation in
                // Ending a thread waits for it; the thread that does ends itself.
                _ = DedicatedThread(name: "shutdown") {
                    transfers.shutDown()
                    continuation.resume()
                }
            }
        }
    }
}
