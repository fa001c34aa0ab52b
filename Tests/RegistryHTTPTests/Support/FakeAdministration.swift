import Locking
import MirrorCore

/// Answers what a test tells it, and notes what it was asked.
final class FakeAdministration: Administration {
    let quotas = Locked<[UpstreamQuota]>([])
    private let log = Locked<[Bool]>([])

    /// Whether each question allowed to ask the upstream.
    var questions: [Bool] { log.withLock { $0 } }

    func quota(mayAsk: Bool) async -> [UpstreamQuota] {
        log.withLock { $0.append(mayAsk) }
        return quotas.withLock { $0 }
    }
}
