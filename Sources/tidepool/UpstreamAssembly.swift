import Curl
import Logging
import MirrorCore
import OCI
import Settings
import UpstreamHTTP

/// The clients of the configured registries, each with a thread for its transfers.
struct UpstreamAssembly {
    let clients: [UpstreamName: any Upstream]
    /// The registries that are asked by digest before an upstream is.
    let contentSources: [UpstreamName: any Upstream]
    private let loops: [TransferLoop]

    /// What all clients share.
    struct Surroundings {
        let instanceID: String
        let ledger: any QuotaLedger
        let metrics: Metrics
        let logger: Logger
    }

    init(_ settings: [UpstreamSettings], in surroundings: Surroundings) throws {
        var loops: [TransferLoop] = []
        func client(_ options: UpstreamOptions) throws -> any Upstream {
            let transfers = TransferLoop(name: "curl-\(loops.count)")
            loops.append(transfers)
            return try RegistryUpstream(
                options,
                transfers: transfers,
                ledger: surroundings.ledger,
                metrics: surroundings.metrics,
                logger: surroundings.logger
            )
        }
        var clients: [UpstreamName: any Upstream] = [:]
        var sources: [UpstreamName: any Upstream] = [:]
        for upstream in settings {
            let options = UpstreamOptions(upstream, instanceID: surroundings.instanceID)
            clients[options.name] = try client(options)
            for source in upstream.contentSources where sources[UpstreamName(source.name)] == nil {
                sources[UpstreamName(source.name)] = try client(UpstreamOptions(source, like: options))
            }
        }
        self.clients = clients
        contentSources = sources
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
    convenience init(_ settings: MirrorSettings, index: any LedgerStore, metrics: Metrics, logger: Logger) {
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
