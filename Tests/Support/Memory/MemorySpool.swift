import Hashing
import Locking
import MirrorCore
import OCI

/// A spool of a ``MemoryBlobStore``.
final class MemorySpool: Spool {
    private enum Phase {
        case writing
        case verified(Bool)
        case ended
    }

    private let digest: Digest
    private let store: MemoryBlobStore
    private let contents = MemoryFile()
    private let phase = Locked(Phase.writing)

    init(for digest: Digest, in store: MemoryBlobStore) {
        self.digest = digest
        self.store = store
    }

    deinit {
        discard()
    }

    var file: any StoredFile { contents }

    func append(_ bytes: Span<UInt8>) throws(StoreError) {
        guard case .writing = phase.withLock({ $0 }) else { throw .failed(call: "append", errno: 9) }
        let (limit, failure) = store.state.withLock { ($0.appendLimit, $0.appendFailure) }
        guard contents.size + bytes.count <= limit else { throw failure }
        contents.append(bytes)
    }

    func verify() -> Bool {
        let isRight = store.digest(of: contents.bytes, digest.algorithm) == digest
        return phase.withLock { phase in
            guard case .writing = phase else {
                if case .verified(let earlier) = phase { return earlier }
                return false
            }
            phase = .verified(isRight)
            return isRight
        }
    }

    func commonPrefix(with other: any Spool) async throws(StoreError) -> Int {
        guard let other = other as? MemorySpool else { return 0 }
        return zip(contents.bytes, other.contents.bytes).prefix { $0 == $1 }.count
    }

    func land() async throws(StoreError) {
        if let failure = store.state.withLock({ $0.landFailure }) { throw failure }
        let mayLand = phase.withLock { phase in
            guard case .verified(true) = phase else { return false }
            phase = .ended
            return true
        }
        guard mayLand else { throw .failed(call: "land", errno: 22) }
        store.state.withLock { state in
            state.files[MemoryBlobStore.Name(digest: digest, kind: .blob)] = contents
            state.openSpools -= 1
        }
    }

    func discard() {
        let wasOpen = phase.withLock { phase in
            if case .ended = phase { return false }
            phase = .ended
            return true
        }
        if wasOpen { store.state.withLock { $0.openSpools -= 1 } }
    }
}
