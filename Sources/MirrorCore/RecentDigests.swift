import Locking
import OCI

/// Digests that manifests and tags named a moment ago, which the index is about to have; with the sizes given for them.
///
/// Clients ask for the children of an index as soon as they have it, and for a tag's manifest as soon as they know its
/// digest, which is before that has been written down. By repository, as claims are. Bounded: forgetting costs one free
/// request.
final class RecentDigests: Sendable {
    private struct Key: Hashable {
        var repository: Repository
        var digest: Digest
    }

    private static let capacity = 10_000
    private let sizes = Locked<[Key: Int]>([:])

    /// Notes what a manifest or a tag of a repository names.
    func insert(_ new: [Descriptor], in repository: Repository) {
        sizes.withLock { sizes in
            if sizes.count + new.count > Self.capacity { sizes = [:] }
            for descriptor in new.prefix(Self.capacity) {
                sizes[Key(repository: repository, digest: descriptor.digest)] = descriptor.size
            }
        }
    }

    func size(of digest: Digest, in repository: Repository) -> Int? {
        sizes.withLock { $0[Key(repository: repository, digest: digest)] }
    }
}
