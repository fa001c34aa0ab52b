import Locking
package import Logging

/// The quota ledger of one process, kept in the index.
package final class LocalLedger: QuotaLedger {
    private struct State {
        var accounts: [QuotaAccount: QuotaRecord]
        /// The account that each upstream was last asked with.
        var current: [UpstreamName: QuotaAccount] = [:]
        var observations: UInt64 = 0
        var nextClaim: UInt64 = 0
    }

    private let state: Locked<State>
    private let index: any CacheIndex
    private let reserves: [UpstreamName: Int]
    private let time: Timekeeper
    private let metrics: Metrics
    private let logger: Logger

    /// Reads what is kept.
    package init(
        index: any CacheIndex,
        reserves: [UpstreamName: Int],
        time: Timekeeper = .system(),
        metrics: Metrics,
        logger: Logger
    ) {
        self.index = index
        self.reserves = reserves
        self.time = time
        self.metrics = metrics
        self.logger = logger
        state = Locked(State(accounts: index.quotaRecords()))
    }

    package func claim(for purpose: Purpose, on account: QuotaAccount) async throws(UpstreamError) -> QuotaClaim {
        state.withLock { state in
            state.nextClaim += 1
            state.current[account.upstream] = account
            return QuotaClaim(id: state.nextClaim, account: account, purpose: purpose)
        }
    }

    package func settle(_ claim: QuotaClaim, isSpent: Bool) {}

    package func mark() -> QuotaMark { QuotaMark(count: state.withLock { $0.observations }) }

    package func observe(_ observation: QuotaObservation, on account: QuotaAccount, since mark: QuotaMark) {
        state.withLock { $0.observations += 1 }
    }

    package func pressure(on upstream: UpstreamName) -> QuotaPressure { .none }

    package func status() -> [QuotaStatus] { [] }
}
