import Locking
import OCI

/// Blobs that are larger than the cache, and their lengths as the upstreams of their repositories have told them.
///
/// It saves asking for a blob only to find that again. What one upstream says of a digest is not believed of another's.
/// Bounded: forgetting costs one request.
final class OutsizedBlobs: Sendable {
    private static let capacity = 1000
    private let lengths = Locked<[ContentKey: Int]>([:])

    func insert(_ length: Int, _ digest: Digest, _ source: FlightSource) {
        guard source.contentSource == nil else { return }
        lengths.withLock { lengths in
            if lengths.count >= Self.capacity { lengths = [:] }
            lengths[ContentKey(repository: source.repository, digest: digest, kind: .blob)] = length
        }
    }

    func length(of digest: Digest, in repository: Repository) -> Int? {
        lengths.withLock { $0[ContentKey(repository: repository, digest: digest, kind: .blob)] }
    }
}
