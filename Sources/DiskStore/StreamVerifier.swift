import MirrorCore
import OCI

/// Tells whether bytes that go past, and are not stored, have a digest.
final class StreamVerifier: BlobVerifier {
    private let digest: Digest
    private let hash: RunningHash

    /// Goes on from a hash that covers the bytes before; takes it over.
    init(of digest: Digest, after hash: RunningHash) {
        self.digest = digest
        self.hash = hash
    }

    func update(_ bytes: Span<UInt8>) { hash.update(bytes) }

    func matches() -> Bool { hash.finish() == digest }
}
