import Locking
import OCI

/// Recent answers that something is not there, for a few seconds, in memory.
///
/// Bounded: when it is full, what has expired goes, and if nothing has, everything does; the price is one more free
/// request for each.
final class NegativeCache: Sendable {
    enum Subject: Hashable, Sendable {
        case tag(Tag)
        case content(Digest, ContentKind)
        case tagList
        case referrers(Digest)
    }

    struct Key: Hashable, Sendable {
        var repository: Repository
        var subject: Subject
    }

    private let entries = Locked<[Key: (error: MirrorError, expires: Duration)]>([:])
    private let capacity: Int

    init(capacity: Int = 10_000) {
        self.capacity = capacity
    }

    func error(for key: Key, at now: Duration) -> MirrorError? {
        entries.withLock { entries in
            guard let entry = entries[key], entry.expires > now else { return nil }
            return entry.error
        }
    }

    func insert(_ error: MirrorError, for key: Key, until expires: Duration, at now: Duration) {
        entries.withLock { entries in
            if entries.count >= capacity { entries = entries.filter { $0.value.expires > now } }
            if entries.count >= capacity { entries = [:] }
            entries[key] = (error, expires)
        }
    }

    /// Forgets an answer that has been overtaken.
    func remove(_ key: Key) {
        entries.withLock { _ = $0.removeValue(forKey: key) }
    }
}
