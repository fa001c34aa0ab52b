import MirrorCore

/// How fast requests may follow each other: a token bucket, and the pause that an abuse limit asks for.
///
/// (1) The bucket holds ten seconds' worth. (2) An abuse limit halves the rate, once for all that it refuses together, and
/// empties the bucket. (3) Each minute without one gives back a twentieth of the configured rate.
struct RequestRate: AdmissionRule {
    /// One request's worth.
    struct Ticket: Sendable {}

    /// The pause is over.
    struct Notice: Hashable, Sendable {
        var requestsPerMinute: Int
    }

    private static let burst = 10.0
    private static let recoveryInterval = Duration.seconds(60)
    private static let recoveryShare = 0.05
    /// The rate does not fall below this share: a limit that then still holds is waited for, by its pauses.
    private static let lowestShare = 1.0 / 64

    /// In requests per second, like ``rate``.
    private let configured: Double
    private(set) var rate: Double
    private(set) var tokens: Double
    private var filledAt: Duration
    private var recoversAt: Duration
    private var lastPausedAt: Duration?
    private(set) var closedUntil: Duration?

    init(requestsPerMinute: Int, at now: Duration) {
        configured = Double(max(1, requestsPerMinute)) / 60
        rate = configured
        tokens = max(1, configured * Self.burst)
        filledAt = now
        recoversAt = now
    }

    func refusal(at now: Duration) -> UpstreamError {
        .abuseLimited(retryAfter: closedUntil.map { $0 - now })
    }

    mutating func advance(to now: Duration) -> Notice? {
        let hasOpened = closedUntil.map { $0 <= now } ?? false
        if hasOpened { closedUntil = nil }
        while rate < configured, recoversAt <= now {
            fill(to: recoversAt)
            rate = min(configured, rate + configured * Self.recoveryShare)
            recoversAt += Self.recoveryInterval
        }
        fill(to: now)
        return hasOpened ? Notice(requestsPerMinute: Int((rate * 60).rounded())) : nil
    }

    private mutating func fill(to now: Duration) {
        guard now > filledAt else { return }
        tokens = min(max(1, rate * Self.burst), tokens + (now - filledAt).inSeconds * rate)
        filledAt = now
    }

    mutating func admit(at now: Duration) -> Ticket? {
        // A hair less than one is one: sums of fractions do not come out even.
        guard closedUntil == nil, tokens >= 1 - 1e-9 else { return nil }
        tokens -= 1
        return Ticket()
    }

    func nextAdmission(at now: Duration) -> Duration? {
        // A microsecond more, so that the timer does not ring just before.
        filledAt + .seconds(max(0, 1 - tokens) / rate) + .microseconds(1)
    }

    /// Lets nobody in for `wait`, after an abuse limit on a request that was let in at `moment`.
    ///
    /// Returns for how long it is closed from now, and whether it was open before.
    mutating func pause(
        for wait: Duration,
        sentAt moment: Duration,
        at now: Duration
    ) -> (rest: Duration, wasOpen: Bool) {
        if lastPausedAt.map({ moment > $0 }) ?? true {
            lastPausedAt = now
            rate = max(rate / 2, configured * Self.lowestShare)
        }
        let wasOpen = closedUntil == nil
        let until = max(closedUntil ?? now, now + wait)
        closedUntil = until
        tokens = 0
        // Nothing gathers during the pause, and the calm that is rewarded begins after it.
        filledAt = until
        recoversAt = until + Self.recoveryInterval
        return (until - now, wasOpen)
    }
}

extension Duration {
    fileprivate var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
