import Hashing
import Locking
import MirrorCore
import OCI

/// Takes a blob, in one transfer or several that go on from each other, and keeps its hash only.
final class VerifyingSink: BlobSink {
    /// A class, because the hasher cannot be copied.
    private final class State {
        var hasher: ContentHasher?
        var received = 0
        var length: Int?

        init(_ algorithm: HashAlgorithm) {
            hasher = ContentHasher(algorithm)
        }
    }

    private let digest: Digest
    private let progress: @Sendable (Int) -> Void
    private let state: Locked<State>

    init(_ digest: Digest, _ progress: @escaping @Sendable (Int) -> Void) {
        self.digest = digest
        self.progress = progress
        state = Locked(State(HashAlgorithm(digest.algorithm)))
    }

    var received: Int { state.withLock { $0.received } }

    /// Whether it has as many bytes as it should, where that is known.
    var isComplete: Bool { state.withLock { state in state.length.map { state.received >= $0 } ?? false } }

    func begin(_ head: BlobHead) -> Bool {
        let algorithm = HashAlgorithm(digest.algorithm)
        return state.withLock { state in
            state.length = head.length ?? state.length
            if head.offset == 0 {
                state.hasher = ContentHasher(algorithm)
                state.received = 0
            }
            return head.offset == state.received
        }
    }

    func receive(_ bytes: Span<UInt8>) -> BlobIntake {
        let received = state.withLock { state in
            state.hasher?.update(bytes)
            state.received += bytes.count
            return state.received
        }
        progress(received)
        return .taken
    }

    /// Whether all that was taken has the digest, once.
    func verify() -> Bool {
        guard let hash = state.withLock({ $0.hasher.take()?.finalize() }) else { return false }
        return Digest(algorithm: digest.algorithm, bytes: hash.span) == digest
    }
}

extension HashAlgorithm {
    init(_ algorithm: Digest.Algorithm) {
        switch algorithm {
        case .sha256: self = .sha256
        case .sha512: self = .sha512
        }
    }
}
