import Hashing
import Locking
import OCI

/// A hash that is computed by one caller at a time, on whichever thread that is.
final class RunningHash: Sendable {
    /// A class, because the hasher cannot be copied.
    private final class State {
        /// Present until the end.
        var hasher: ContentHasher?

        init(_ hasher: consuming ContentHasher) {
            self.hasher = consume hasher
        }

        /// One that has been given the same bytes so far; `nil` after the end.
        func copy() -> ContentHasher? {
            guard let own = hasher.take() else { return nil }
            let copy = ContentHasher(copying: own)
            hasher = consume own
            return copy
        }
    }

    private let algorithm: Digest.Algorithm
    private let state: Locked<State>

    convenience init(_ algorithm: Digest.Algorithm) {
        self.init(algorithm, ContentHasher(HashAlgorithm(algorithm)))
    }

    private init(_ algorithm: Digest.Algorithm, _ hasher: consuming ContentHasher) {
        self.algorithm = algorithm
        state = Locked(State(hasher))
    }

    /// Another hash that has been given the same bytes so far; `nil` after the end.
    func copy() -> RunningHash? {
        state.withLock { state in
            guard let hasher = state.copy() else { return nil }
            return RunningHash(algorithm, hasher)
        }
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
