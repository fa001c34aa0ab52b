import Locking
import OCI
import Posix

/// The directories that content lies in, made when they are first needed.
///
/// A file in a directory whose own name is not on the device is lost with it. So whoever comes first in this process waits for
/// the name, whether or not it made the directory: an earlier process may have died before it did.
final class Shards: Sendable {
    private let durable = Locked<Set<String>>([])

    /// Returns when the directory is there and is durable; waits for the disk the first time.
    func prepare(_ shard: String) throws(SystemCallError) {
        guard !durable.withLock({ $0.contains(shard) }) else { return }
        try Directory.make(shard)
        try Directory.synchronize(Directory.parent(of: shard))
        durable.withLock { _ = $0.insert(shard) }
    }

    /// Makes it again the next time: it turned out to be gone.
    func forget(_ shard: String) {
        durable.withLock { _ = $0.remove(shard) }
    }
}
