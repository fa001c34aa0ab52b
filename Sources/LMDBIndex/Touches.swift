import Locking
import MirrorCore
import OCI
import Synchronization

/// Uses of stored objects that are not in the tables yet, and the counter that orders all uses.
///
/// Any thread, an event loop's included: a use is one entry of a dictionary behind one of a few locks. Bounded: beyond that
/// a use is not noted, which can only make something go before its time.
final class Touches: Sendable {
    private struct Shard {
        var noted: [ObjectKey: Use] = [:]
        /// Those that are being written: apart, so that no event loop comes to copy a dictionary that is being read.
        var folding: [ObjectKey: Use] = [:]
    }

    private let shards = (0..<16).map { _ in Locked(Shard()) }
    private let lastUse: Atomic<Use>

    /// Some 100 bytes each.
    static let mostKeptPerShard = 4096

    /// Goes on counting after the last use that the tables know.
    init(after lastUse: Use) {
        self.lastUse = Atomic(lastUse)
    }

    /// The place after all that were given before.
    func nextUse() -> Use {
        // The order of the numbers is all that is asked of it.
        lastUse.add(1, ordering: .relaxed).newValue
    }

    func touch(_ key: ObjectKey) {
        let use = nextUse()
        shard(of: key)
            .withLock { shard in
                guard shard.noted.count < Self.mostKeptPerShard || shard.noted[key] != nil else { return }
                shard.noted[key] = use
            }
    }

    /// A use that the tables may not know yet.
    func pendingUse(of key: ObjectKey) -> Use? {
        shard(of: key).withLock { $0.noted[key] ?? $0.folding[key] }
    }

    /// Some of the uses, to be written by the one thread that writes: `limit`, or as many as one lock keeps.
    ///
    /// They stay until they are ``settle()``d, so that there is no moment at which nobody knows of them.
    func pending(upTo limit: Int) -> [ObjectKey: Use] {
        var found: [ObjectKey: Use] = [:]
        for shard in shards {
            guard found.count < limit else { break }
            let uses = shard.withLock { shard in
                if shard.folding.isEmpty { swap(&shard.noted, &shard.folding) }
                return shard.folding
            }
            if found.isEmpty { found = uses } else { found.merge(uses) { $1 } }
        }
        return found
    }

    /// What ``pending(upTo:)`` gave is written, or given up.
    func settle() {
        for shard in shards { shard.withLock { $0.folding = [:] } }
    }

    private func shard(of key: ObjectKey) -> Locked<Shard> {
        // Any byte of a hash will do.
        shards[Int(key.digest[31]) % shards.count]
    }
}
