/// How long a transfer that breaks is tried again, for a client that has its head already.
struct Patience {
    let retries: Int
    /// Failures in a row.
    private var failures = 0
    /// How long it was kept waiting by an open circuit since the last progress.
    private var held = Duration.zero

    init(retries: Int) {
        self.retries = retries
    }

    /// How long to wait before the next try; `nil` when there is none.
    mutating func delay(after error: UpstreamError, progress: Int) -> Duration? {
        guard error.isTransient else { return nil }
        if progress >= Self.progressThatCounts { (failures, held) = (0, .zero) }
        if case .unavailable(.circuitOpen(let wait)) = error, held < Self.longestHold {
            let delay = Self.delay(forCircuit: wait)
            held += delay
            return delay
        }
        guard failures < retries else { return nil }
        defer { failures += 1 }
        return Self.delay(after: failures, error)
    }

    /// For how long clients in mid-transfer are kept by an open circuit, before that counts as failing.
    static let longestHold = Duration.seconds(60)
    /// A transfer that has come so far since the last failure is not failing.
    static let progressThatCounts = 256 << 10

    static func delay(forCircuit wait: Duration) -> Duration {
        max(wait, .milliseconds(100)) + .milliseconds(Int.random(in: 0...100))
    }

    /// Doubles from 100 ms to 5 s, with jitter, so that many mirrors do not come back at once.
    static func delay(after failures: Int, _ error: UpstreamError) -> Duration {
        switch error {
        case .pullLimited(let wait?), .abuseLimited(let wait?): return min(wait, .seconds(60))
        default:
            let longest = min(5000, 100 << min(failures, 10))
            return .milliseconds(Int.random(in: longest / 2...longest))
        }
    }
}
