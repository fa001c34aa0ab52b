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

    private struct State {
        var phase = Phase.writing
        var length: Int?
    }

    private let digest: Digest
    private let store: MemoryBlobStore
    private let contents: MemoryFile
    private let lease: LeasedMemoryFile
    private let state: Locked<State>

    /// An empty one, or what an earlier one has left.
    init(for digest: Digest, in store: MemoryBlobStore, from remains: MemoryBlobStore.Remains? = nil) {
        self.digest = digest
        self.store = store
        contents = remains?.file ?? MemoryFile()
        state = Locked(State(length: remains?.length))
        let name = MemoryBlobStore.Name(digest: digest, kind: .blob)
        store.state.withLock { $0.leases[name, default: 0] += 1 }
        lease = LeasedMemoryFile(contents, name, in: store)
    }

    deinit {
        leave()
    }

    var file: any StoredFile { lease }
    var received: Int { contents.size }
    var expectedLength: Int? { state.withLock { $0.length } }

    func expect(length: Int) {
        state.withLock { $0.length = length }
    }

    func append(_ bytes: Span<UInt8>) throws(StoreError) {
        guard case .writing = state.withLock({ $0.phase }) else { throw .failed(call: "append", errno: 9) }
        let (limit, failure) = store.state.withLock { ($0.appendLimit, $0.appendFailure) }
        guard contents.size + bytes.count <= limit else { throw failure }
        contents.append(bytes)
    }

    func verify() -> Bool {
        let isRight = store.digest(of: contents.bytes, digest.algorithm) == digest
        return state.withLock { state in
            guard case .writing = state.phase else {
                if case .verified(let earlier) = state.phase { return earlier }
                return false
            }
            state.phase = .verified(isRight)
            return isRight
        }
    }

    func verifier() -> (any BlobVerifier)? { MemoryVerifier(of: digest, after: contents.bytes, in: store) }

    func commonPrefix(with other: any Spool) async throws(StoreError) -> Int {
        guard let other = other as? MemorySpool else { return 0 }
        return zip(contents.bytes, other.contents.bytes).prefix { $0 == $1 }.count
    }

    func land() async throws(StoreError) {
        if let failure = store.state.withLock({ $0.landFailure }) { throw failure }
        let mayLand = state.withLock { state in
            guard case .verified(true) = state.phase else { return false }
            state.phase = .ended
            return true
        }
        guard mayLand else { throw .failed(call: "land", errno: 22) }
        store.put(contents, MemoryBlobStore.Name(digest: digest, kind: .blob))
        store.state.withLock { state in
            state.unfinished[digest] = nil
            state.openSpools -= 1
        }
    }

    func keep() async {
        leave()
    }

    func discard() {
        if end() != nil { store.state.withLock { $0.openSpools -= 1 } }
    }

    private func leave() {
        guard let isUseful = end() else { return }
        let remains = MemoryBlobStore.Remains(file: contents, length: expectedLength)
        store.state.withLock { state in
            state.openSpools -= 1
            let other = state.unfinished[digest]?.file.size ?? 0
            if isUseful, remains.file.size > other { state.unfinished[digest] = remains }
        }
    }

    /// Ends it, once; returns whether what it has is worth keeping.
    private func end() -> Bool? {
        state.withLock { state in
            defer { state.phase = .ended }
            switch state.phase {
            case .ended: return nil
            case .writing: return contents.size > 0
            case .verified(let isRight): return isRight && contents.size > 0
            }
        }
    }
}
