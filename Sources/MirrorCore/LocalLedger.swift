import Locking
package import Logging

/// The quota ledger of one process, kept in the index.
///
/// What it knows of each account is a ``QuotaAccountState`` behind one lock. A record is made under the lock and given to the
/// index after it, so two that are made at nearly the same time may come to the index in the wrong order. Each has a
/// revision therefore, and the index leaves out the one that was overtaken. The later of two contains all that the earlier one
/// did, so a claim is on disk when its commit returns, whichever of them was written.
package final class LocalLedger: QuotaLedger {
    fileprivate struct State {
        var accounts: [QuotaAccount: QuotaAccountState]
        /// The account that each upstream was last asked with.
        var current: [UpstreamName: QuotaAccount] = [:]
        var observations: UInt64 = 0
        var nextClaim: UInt64 = 0
        var isIndexFailing = false

        var mark: QuotaMark { QuotaMark(count: observations) }
    }

    private let state: Locked<State>
    private let index: any LedgerStore
    private let reserves: [UpstreamName: Int]
    private let time: Timekeeper
    private let telemetry: QuotaTelemetry

    /// Reads what is kept.
    package init(
        index: any LedgerStore,
        reserves: [UpstreamName: Int],
        time: Timekeeper = .system(),
        metrics: Metrics,
        logger: Logger
    ) {
        self.index = index
        self.reserves = reserves
        self.time = time
        telemetry = QuotaTelemetry(metrics: metrics, logger: logger)
        let records = index.quotaRecords()
        var state = State(accounts: records.mapValues { QuotaAccountState($0) })
        // Until the first request tells, the account in use is probably the one that was asked with last.
        let byAge = records.sorted { ($0.value.observedAt ?? .never) < ($1.value.observedAt ?? .never) }
        for (account, _) in byAge { state.current[account.upstream] = account }
        self.state = Locked(state)
        for (account, record) in records { telemetry.begin(account, record) }
    }

    /// Asks for leave to read one manifest; see ``QuotaLedger/claim(for:on:keeping:)``.
    ///
    /// When the index cannot be written the read is granted all the same: what is kept is a cache, and the upstream has the
    /// account itself.
    package func claim(
        for purpose: Purpose,
        on account: QuotaAccount,
        keeping ownReserve: Int?
    ) async throws(UpstreamError) -> QuotaClaim {
        let now = time.wall()
        let reserve = ownReserve ?? reserves[account.upstream] ?? 0
        let (id, refusal, change) = state.withLock { state in
            state.current[account.upstream] = account
            state.nextClaim += 1
            let (id, mark) = (state.nextClaim, state.mark)
            let (refusal, change) = state.change(account, at: now) {
                $0.claim(id, for: purpose, keeping: reserve, since: mark, at: now)
            }
            return (id, refusal, change)
        }
        telemetry.publish(change)
        if let refusal {
            post(change)
            throw refusal
        }
        await commit(change)
        return QuotaClaim(id: id, account: account, purpose: purpose)
    }

    package func settle(_ claim: QuotaClaim, isSpent: Bool) {
        let now = time.wall()
        let (wasUnderWay, change) = state.withLock { state in
            state.change(claim.account, at: now) { $0.settle(claim.id, isSpent: isSpent) }
        }
        // Counted now and not when it was granted: a counter must not fall.
        if wasUnderWay, isSpent { telemetry.spent(claim) }
        telemetry.publish(change)
        post(change)
    }

    package func mark() -> QuotaMark { state.withLock { $0.mark } }

    package func observe(_ observation: QuotaObservation, on account: QuotaAccount, since mark: QuotaMark) {
        let now = time.wall()
        let change: QuotaChange? = state.withLock { state in
            state.current[account.upstream] = account
            // Where nobody counts, nothing is in the ledger before something was read.
            guard observation.tellsQuota || observation.tellsAccount || state.accounts[account] != nil else {
                return nil
            }
            state.observations += 1
            let number = state.mark
            return state.change(account, at: now) { $0.observe(observation, since: mark, as: number, at: now) }.change
        }
        guard let change else { return }
        telemetry.publish(change)
        post(change)
    }

    package func pressure(on upstream: UpstreamName) -> QuotaPressure {
        let now = time.wall()
        let reserve = reserves[upstream] ?? 0
        let (pressure, change): (QuotaPressure, QuotaChange?) = state.withLock { state in
            guard let account = state.current[upstream], let known = state.accounts[account] else {
                return (QuotaPressure.none, nil)
            }
            guard known.isDue(at: now) else { return (known.pressure(keeping: reserve), nil) }
            return state.change(account, at: now) { $0.pressure(keeping: reserve) }
        }
        if let change {
            telemetry.publish(change)
            post(change)
        }
        return pressure
    }

    package func status() -> [QuotaStatus] {
        let now = time.wall()
        let answers = state.withLock { state in
            state.accounts.keys.map { account in
                state.change(account, at: now) { $0.status(of: account, at: now) }
            }
        }
        for (_, change) in answers {
            telemetry.publish(change)
            post(change)
        }
        return answers.map(\.result)
            .sorted {
                ($0.account.upstream.text, $0.account.account) < ($1.account.upstream.text, $1.account.account)
            }
    }

    private func post(_ change: QuotaChange) {
        guard let record = change.record else { return }
        index.post([.quota(change.account, record)])
    }

    private func commit(_ change: QuotaChange) async {
        guard let record = change.record else { return }
        var failure: IndexError?
        do throws(IndexError) {
            try await index.commit([.quota(change.account, record)])
        } catch {
            failure = error
        }
        let isNew = state.withLock { state in
            defer { state.isIndexFailing = failure != nil }
            return !state.isIndexFailing
        }
        if let failure, isNew { telemetry.indexFailed(failure) }
    }
}

extension LocalLedger.State {
    /// Lets `body` change an account, which is brought up to the present first.
    ///
    /// What follows from the change is for the caller to do once the lock is released.
    fileprivate mutating func change<Result>(
        _ account: QuotaAccount,
        at now: WallTime,
        _ body: (inout QuotaAccountState) -> Result
    ) -> (result: Result, change: QuotaChange) {
        var known = accounts[account] ?? QuotaAccountState()
        known.advance(to: now)
        let result = body(&known)
        let change = QuotaChange(
            account: account,
            record: known.takeRecord(),
            limit: known.record.limit,
            remaining: known.available,
            notices: known.takeNotices(),
            now: now
        )
        accounts[account] = known
        return (result, change)
    }
}

extension WallTime {
    fileprivate static let never = WallTime(milliseconds: .min)
}
