/// How ready an upstream is to be asked about what is kept already.
enum Readiness: Hashable, Sendable {
    case ready
    /// Quota runs out, from just above 0 to 1: it is asked less often.
    case scarce(Double)
    /// Whoever can be served a copy does not wait.
    case held(StaleReason)
}

/// What is done about something kept before it is served: DESIGN rules 2 and 11a.
///
/// Pure: the age and the upstream's readiness are parameters.
///
/// | | younger than `tag_ttl` | older |
/// |---|---|---|
/// | ready | unneeded | due |
/// | scarce | unneeded | unneeded up to a multiple of `tag_ttl`, then due |
/// | held | unneeded | deferred |
enum Revalidation: Hashable, Sendable {
    /// It is used as it is.
    case unneeded
    /// Upstream is asked, and waited for.
    case due
    /// A copy that may be served is served at once, as stale; upstream is asked behind the asker's back, now and then.
    case deferred(StaleReason)

    /// How much longer an answer is used when quota is down to the reserve.
    static let longestStretch = 10.0

    /// Decides; the readiness is asked for only where it matters.
    ///
    /// `age` is `nil` for a time that is not to be trusted.
    init(age: Duration?, ttl: Duration, readiness: @autoclosure () -> Readiness) {
        if let age, age < ttl {
            self = .unneeded
            return
        }
        switch readiness() {
        case .ready: self = .due
        case .scarce(let scarcity):
            let isYoung = age.map { $0 < Self.stretched(ttl, by: scarcity) } ?? false
            self = isYoung ? .unneeded : .due
        case .held(let reason): self = .deferred(reason)
        }
    }

    private static func stretched(_ ttl: Duration, by scarcity: Double) -> Duration {
        ttl * (1 + (longestStretch - 1) * min(max(scarcity, 0), 1))
    }
}
