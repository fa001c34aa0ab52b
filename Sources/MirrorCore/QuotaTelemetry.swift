import Logging

/// What follows from a change of an account.
struct QuotaChange: Sendable {
    var account: QuotaAccount
    /// To be kept; `nil` when nothing worth keeping has changed.
    var record: QuotaRecord?
    var limit: Int?
    var remaining: Int?
    var notices: [QuotaAccountState.Notice]
    var now: WallTime
}

/// The ledger in metrics and log.
///
/// The log names no account and no source: both may be a user's name.
struct QuotaTelemetry: Sendable {
    let metrics: Metrics
    let logger: Logger

    /// Begins with what was kept: the counters go on from there.
    func begin(_ account: QuotaAccount, _ record: QuotaRecord) {
        for (purpose, count) in record.spentEver where count > 0 {
            metrics.add(count, to: .quotaSpent, account.upstream.text, purpose.rawValue)
        }
        let remaining = record.remaining.map { max(0, $0 - record.unreflected) }
        gauge(.quotaLimit, record.limit, account)
        gauge(.quotaRemaining, remaining, account)
    }

    func spent(_ claim: QuotaClaim) {
        metrics.add(to: .quotaSpent, claim.account.upstream.text, claim.purpose.rawValue)
    }

    func publish(_ change: QuotaChange) {
        gauge(.quotaLimit, change.limit, change.account)
        gauge(.quotaRemaining, change.remaining, change.account)
        for notice in change.notices { log(notice, change) }
    }

    func indexFailed(_ error: IndexError) {
        logger.warning("quota spent is not kept: a restart will forget it", metadata: ["error": "\(error)"])
    }

    private func gauge(_ family: Metrics.Family, _ value: Int?, _ account: QuotaAccount) {
        if let value {
            metrics.set(family, to: value, account.upstream.text, account.account)
        } else {
            metrics.remove(family, account.upstream.text, account.account)
        }
    }

    private func log(_ notice: QuotaAccountState.Notice, _ change: QuotaChange) {
        let upstream = Logger.MetadataValue.string(change.account.upstream.text)
        switch notice {
        case .exhausted(let until):
            let seconds = (until.milliseconds - change.now.milliseconds) / 1000
            logger.notice("quota is exhausted", metadata: ["upstream": upstream, "back_in": "\(seconds)s"])
        case .isBack:
            logger.notice("quota is back", metadata: ["upstream": upstream])
        case .sourceChanged:
            logger.notice("quota is charged to another address or account", metadata: ["upstream": upstream])
        }
    }
}
