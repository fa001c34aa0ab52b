import NIOHTTP1

/// A pull limit and the account of it: manifest GETs count, HEADs show the same headers for nothing.
package struct HubQuota: Sendable {
    package var limit: Int
    /// In seconds.
    package var window: Int
    /// What was spent in the present window, by whomever.
    package internal(set) var spent = 0
    /// What requests spent in the present window; the rest was spent by other machines.
    package internal(set) var reads = 0
    /// When the present window began, on the Hub's clock: with its first read.
    private var beganAt: Duration?

    package init(limit: Int = 100, window: Int = 3600) {
        self.limit = limit
        self.window = window
    }

    package var remaining: Int { max(0, limit - spent) }

    /// Begins a new window when the last one is over.
    mutating func roll(at now: Duration) {
        guard let beganAt, now - beganAt >= .seconds(window) else { return }
        self = HubQuota(limit: limit, window: window)
    }

    mutating func spend(_ count: Int, byRequest: Bool, at now: Duration) {
        if beganAt == nil { beganAt = now }
        spent += count
        if byRequest { reads += count }
    }

    /// How long until the window ends.
    func timeLeft(at now: Duration) -> Duration {
        .seconds(window) - (beganAt.map { now - $0 } ?? .zero)
    }
}

/// How answers spell the headers of the pull limit; a 429 always has the prefixed ones, as Docker Hub's has.
package enum RateLimitSpelling: String, CaseIterable, Sendable {
    case plain = "ratelimit-"
    case capitalised = "RateLimit-"
    case prefixed = "x-ratelimit-"

    func headers(_ quota: HubQuota) -> HTTPHeaders {
        let end = self == .capitalised ? ("Limit", "Remaining") : ("limit", "remaining")
        return [
            rawValue + end.0: "\(quota.limit);w=\(quota.window)",
            rawValue + end.1: "\(quota.remaining);w=\(quota.window)",
        ]
    }
}
