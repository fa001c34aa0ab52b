import Locking
import Logging

/// How upstreams have answered lately, as far as it decides what is asked of them.
///
/// Pure: time is a parameter. Bounded by the number of configured registries.
struct UpstreamStanding: Sendable {
    private struct Pause {
        var until: Duration
        var reason: StaleReason
    }

    private var pauses: [UpstreamName: Pause] = [:]
    /// When an upstream was last asked behind somebody's back.
    private var lastChecks: [UpstreamName: Duration] = [:]
    private var refusesCredentials: Set<UpstreamName> = []

    /// What has changed, and is worth telling.
    enum Change: Hashable, Sendable {
        case credentialsRefused
        case credentialsAccepted
    }

    /// Why an upstream is not to be asked even what is free, until its own time is over.
    func pause(of name: UpstreamName, at now: Duration) -> StaleReason? {
        guard let pause = pauses[name], pause.until > now else { return nil }
        return pause.reason
    }

    /// Notes an answer.
    mutating func answered(_ name: UpstreamName) -> Change? {
        pauses[name] = nil
        return refusesCredentials.remove(name) == nil ? nil : .credentialsAccepted
    }

    /// Notes a failure; `isFree` tells a question that costs no quota.
    mutating func failed(_ error: UpstreamError, _ name: UpstreamName, isFree: Bool, at now: Duration) -> Change? {
        switch error {
        case .notFound, .denied:
            return answered(name)
        case .credentialsRefused:
            return refusesCredentials.insert(name).inserted ? .credentialsRefused : nil
        case .abuseLimited(let wait):
            pauses[name] = Pause(until: now + Self.pause(of: wait), reason: .abuseLimit)
        case .pullLimited(let wait) where isFree:
            pauses[name] = Pause(until: now + Self.pause(of: wait), reason: .pullLimit)
        default: break
        }
        return nil
    }

    /// A pause ends by itself, and before that with the next answer: what a registry says is not trusted beyond an hour.
    private static func pause(of told: Duration?) -> Duration {
        min(max(told ?? .seconds(60), .seconds(1)), .seconds(3600))
    }

    // MARK: - Checks behind the asker's back

    /// Whether an upstream that nobody waits for may be asked how it is.
    func isCheckDue(of name: UpstreamName, _ reason: StaleReason, at now: Duration) -> Bool {
        guard let last = lastChecks[name] else { return true }
        return now - last >= Self.interval(reason)
    }

    mutating func claimCheck(of name: UpstreamName, _ reason: StaleReason, at now: Duration) -> Bool {
        guard isCheckDue(of: name, reason, at: now) else { return false }
        lastChecks[name] = now
        return true
    }

    // A limit lasts minutes, and questions count against some. A circuit that is open answers for itself, at once.
    private static func interval(_ reason: StaleReason) -> Duration {
        reason == .circuitOpen ? .seconds(1) : .seconds(60)
    }
}

/// The standing of all upstreams, shared; tells the operator of what only they can mend.
final class UpstreamStandings: Sendable {
    private let state = Locked(UpstreamStanding())
    private let time: Timekeeper
    private let metrics: Metrics
    private let logger: Logger

    init(time: Timekeeper, metrics: Metrics, logger: Logger) {
        self.time = time
        self.metrics = metrics
        self.logger = logger
    }

    func pause(of name: UpstreamName) -> StaleReason? {
        let now = time.monotonic()
        return state.withLock { $0.pause(of: name, at: now) }
    }

    func isCheckDue(of name: UpstreamName, _ reason: StaleReason) -> Bool {
        let now = time.monotonic()
        return state.withLock { $0.isCheckDue(of: name, reason, at: now) }
    }

    func claimCheck(of name: UpstreamName, _ reason: StaleReason) -> Bool {
        let now = time.monotonic()
        return state.withLock { $0.claimCheck(of: name, reason, at: now) }
    }

    func answered(_ name: UpstreamName) {
        announce(state.withLock { $0.answered(name) }, name)
    }

    func failed(_ error: UpstreamError, _ name: UpstreamName, isFree: Bool) {
        let now = time.monotonic()
        announce(state.withLock { $0.failed(error, name, isFree: isFree, at: now) }, name)
    }

    private func announce(_ change: UpstreamStanding.Change?, _ name: UpstreamName) {
        switch change {
        case nil: return
        case .credentialsRefused:
            metrics.set(.credentialsRefused, to: 1, name.text)
            logger.error(
                "the upstream refuses the configured credentials; what is cached is served as stale",
                metadata: ["upstream": "\(name)"]
            )
        case .credentialsAccepted:
            metrics.set(.credentialsRefused, to: 0, name.text)
            logger.notice("the upstream accepts the configured credentials again", metadata: ["upstream": "\(name)"])
        }
    }
}
