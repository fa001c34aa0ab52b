import Hashing
import Locking
import OCI

/// A hash that is computed by one caller at a time, on whichever thread that is.
final class RunningHash: Sendable {
    /// A class, because the hasher cannot be copied.
    private final class State {
        /// Present until the end.
        var hasher: ContentHasher?

        init(_ algorithm: HashAlgorithm) {
            hasher = ContentHasher(algorithm)
        }
    }

    private let algorithm: Digest.Algorithm
    private let state: Locked<State>

    init(_ algorithm: Digest.Algorithm) {
        self.algorithm = algorithm
        state = Locked(State(HashAlgorithm(algorithm)))
    }

    func update(_ bytes: Span<UInt8>) {
        state.withLock { $0.hasher?.update(bytes) }
    }

    /// The digest of everything it was given, once.
    func finish() -> Digest? {
        guard let hash = state.withLock({ $0.hasher.take()?.finalize() }) else { return nil }
        return Digest(algorithm: algorithm, bytes: hash.span)
    }
}
