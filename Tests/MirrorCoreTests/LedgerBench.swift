import Locking
import Logging
import MirrorTesting

@testable import MirrorCore

/// A ledger over an index in memory, which can be started again.
struct LedgerBench {
    static let account = QuotaAccount(upstream: .dockerHub, account: "somebody")

    let index = MemoryCacheIndex()
    let clock = ManualClock()
    let log = LogLines()
    var metrics = Metrics()

    /// A ledger as a process has it that starts now.
    mutating func start(reserve: Int = 10) -> LocalLedger {
        metrics = Metrics()
        return LocalLedger(
            index: index,
            reserves: [.dockerHub: reserve],
            time: clock.timekeeper,
            metrics: metrics,
            logger: log.logger
        )
    }

    var kept: QuotaRecord? { index.quotaRecords()[Self.account] }

    func spentTotal(_ purpose: Purpose) -> Int {
        metrics.value(of: .quotaSpent, "docker.io", purpose.rawValue)
    }
}

extension LocalLedger {
    /// The status of the one account that tests use.
    var only: QuotaStatus? { status().first }

    func observe(remaining: Int, of limit: Int = 20, source: String? = nil) {
        observe(
            QuotaObservation(
                limit: limit,
                window: .seconds(3600),
                remaining: remaining,
                source: source,
                isManifest: true
            ),
            on: LedgerBench.account,
            since: mark()
        )
    }
}

/// Everything that was logged, with its metadata.
final class LogLines: Sendable {
    private let lines = Locked<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: LogLines
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        init(log: LogLines) {
            self.log = log
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
            log.lines.withLock { $0.append("\(event.level): \(event.message) \(metadata)") }
        }
    }
}
