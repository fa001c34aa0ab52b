import Locking
import OCI

/// Digests that were named a moment ago, by manifests that the index is about to have.
///
/// Clients ask for the children of an index as soon as they have it, which is before it has been written down. Bounded:
/// forgetting costs one free request.
final class RecentDigests: Sendable {
    private static let capacity = 10_000
    private let digests = Locked<Set<Digest>>([])

    func insert(_ new: [Descriptor]) {
        digests.withLock { digests in
            if digests.count + new.count > Self.capacity { digests = [] }
            for descriptor in new.prefix(Self.capacity) { digests.insert(descriptor.digest) }
        }
    }

    func contains(_ digest: Digest) -> Bool {
        digests.withLock { $0.contains(digest) }
    }
}
