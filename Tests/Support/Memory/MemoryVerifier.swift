import Locking
import MirrorCore
import OCI

/// Keeps all that it is given, and hashes it at the end.
final class MemoryVerifier: BlobVerifier {
    private let digest: Digest
    private let store: MemoryBlobStore
    private let bytes: Locked<[UInt8]>

    init(of digest: Digest, after bytes: [UInt8] = [], in store: MemoryBlobStore) {
        self.digest = digest
        self.store = store
        self.bytes = Locked(bytes)
    }

    func update(_ span: Span<UInt8>) {
        bytes.withLock { bytes in
            for index in span.indices { bytes.append(span[index]) }
        }
    }

    func matches() -> Bool { store.digest(of: bytes.withLock { $0 }, digest.algorithm) == digest }
}
