import Curl
import Logging
import MirrorCore
import OCI
import Settings
import UpstreamHTTP

/// The clients of the configured upstreams, each with a thread for its transfers.
struct UpstreamAssembly {
    let clients: [UpstreamName: any Upstream]
    private let loops: [TransferLoop]

    init(
        _ settings: [UpstreamSettings],
        instanceID: String,
        ledger: any QuotaLedger,
        metrics: Metrics,
        logger: Logger
    ) throws {
        var loops: [TransferLoop] = []
        var clients: [UpstreamName: any Upstream] = [:]
        for upstream in settings {
            let transfers = TransferLoop(name: "curl-\(loops.count)")
            loops.append(transfers)
            clients[UpstreamName(upstream.name)] = try RegistryUpstream(
                UpstreamOptions(upstream, instanceID: instanceID),
                transfers: transfers,
                ledger: ledger,
                metrics: metrics,
                logger: logger
            )
        }
        self.clients = clients
        self.loops = loops
    }

    /// Ends what is under way and joins the threads; blocks.
    func shutDown() {
        for loop in loops { loop.shutDown() }
    }
}

/// What tells one running tidepool from another, for loop detection.
enum InstanceID {
    static func make() -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}

extension LocalLedger {
    /// The ledger of all configured upstreams.
    convenience init(_ settings: MirrorSettings, index: any CacheIndex, metrics: Metrics, logger: Logger) {
        self.init(
            index: index,
            reserves: Dictionary(
                uniqueKeysWithValues: settings.upstreams.map { (UpstreamName($0.name), $0.reserve) }
            ),
            metrics: metrics,
            logger: logger
        )
    }
}
