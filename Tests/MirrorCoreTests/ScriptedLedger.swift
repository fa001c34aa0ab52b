import Locking
import Logging
import MirrorCore

/// A ledger that says what a test has it say, and counts nothing.
final class ScriptedLedger: QuotaLedger {
    private let current = Locked(QuotaPressure.none)

    func set(_ pressure: QuotaPressure) { current.withLock { $0 = pressure } }

    func claim(
        for purpose: Purpose,
        on account: QuotaAccount,
        keeping reserve: Int?
    ) async throws(UpstreamError) -> QuotaClaim {
        QuotaClaim(id: 0, account: account, purpose: purpose)
    }

    func settle(_ claim: QuotaClaim, isSpent: Bool) {}
    func mark() -> QuotaMark { QuotaMark(count: 0) }
    func observe(_ observation: QuotaObservation, on account: QuotaAccount, since mark: QuotaMark) {}
    func pressure(on upstream: UpstreamName) -> QuotaPressure { current.withLock { $0 } }
    func status() -> [QuotaStatus] { [] }
}

extension QuotaPressure {
    /// Until the end of time, as far as a test is concerned.
    static let exhausted = QuotaPressure.exhausted(until: WallTime(milliseconds: .max))
}

/// Keeps what is logged, with its level.
final class CollectedLog: Sendable {
    private let lines = Locked<[(level: Logger.Level, text: String)]>([])

    func messages(_ level: Logger.Level) -> [String] {
        lines.withLock { $0.filter { $0.level == level }.map(\.text) }
    }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: CollectedLog
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.lines.withLock { $0.append((event.level, "\(event.message)")) }
        }
    }
}
