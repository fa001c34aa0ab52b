import Locking
import MirrorCore
import OCI

/// What looks after the cache: the second half of the port.
extension MemoryBlobStore {
    package func unfinished(_ digest: Digest) async throws(StoreError) -> (any Spool)? {
        let remains = state.withLock { state -> Remains? in
            guard let remains = state.unfinished.removeValue(forKey: digest) else { return nil }
            state.openSpools += 1
            return remains
        }
        return remains.map { MemorySpool(for: digest, in: self, from: $0) }
    }

    package var unfinishedBlobs: [UnfinishedBlob] {
        state.withLock { $0.unfinished }
            .map { UnfinishedBlob(digest: $0.key, received: $0.value.file.size, expectedLength: $0.value.length) }
    }

    package func dropUnfinished(_ digest: Digest) async {
        state.withLock { _ = $0.unfinished.removeValue(forKey: digest) }
    }

    package func isLeased(_ digest: Digest, _ kind: ContentKind) -> Bool {
        state.withLock { $0.leases[Name(digest: digest, kind: kind)] != nil }
    }

    func giveBack(_ name: Name) {
        state.withLock { state in
            let count = state.leases[name] ?? 1
            state.leases[name] = count > 1 ? count - 1 : nil
        }
    }

    package func remove(_ digests: [Digest], _ kind: ContentKind) async throws(StoreError) {
        for digest in digests { remove(digest, kind) }
    }

    package func stored(
        _ kind: ContentKind,
        from position: WalkPosition
    ) async throws(StoreError) -> StoredBatch {
        let files = state.withLock { $0.files.filter { $0.key.kind == kind } }
        let doubtful = state.withLock(\.doubtful)
        let contents =
            files.map { name, file in
                StoredContent(digest: name.digest, size: file.size, isDoubtful: doubtful.contains(name))
            }
            .sorted { "\($0.digest)" < "\($1.digest)" }
        // A batch each, so that whoever walks is seen to come back for more; by name, so that nothing is passed over when
        // something before it is removed.
        let rest = contents.filter { Self.place(of: $0.digest) >= position.rawValue }
        let next = rest.dropFirst().first.map { WalkPosition(rawValue: Self.place(of: $0.digest)) }
        let progress = next == nil ? 1 : 1 - Double(rest.count - 1) / Double(contents.count)
        return StoredBatch(contents: Array(rest.prefix(1)), foreign: [], next: next, progress: progress)
    }

    /// Where content is in a walk: by its algorithm, and then by the first 56 bits of its digest.
    private static func place(of digest: Digest) -> Int {
        let algorithm = Digest.Algorithm.allCases.firstIndex(of: digest.algorithm) ?? 0
        return algorithm << 56 | (Int(digest.hex.prefix(14), radix: 16) ?? 0)
    }

    package func check(
        _ digest: Digest,
        _ kind: ContentKind,
        size: Int?,
        pace: Pace?
    ) async throws(StoreError) -> Verdict {
        let name = Name(digest: digest, kind: kind)
        guard let bytes = bytes(of: digest, kind) else { return .missing }
        if state.withLock({ $0.unreadable.contains(name) }) { return .unreadable(errno: 5) }
        if let size, bytes.count < size { return .short(bytes.count) }
        await pace?.spend(bytes.count)
        if Task.isCancelled { throw .failed(call: "store", errno: 125) }
        guard self.digest(of: bytes, digest.algorithm) == digest else { return .damaged }
        state.withLock { _ = $0.doubtful.remove(name) }
        return .intact
    }

    package func confirm(
        _ digest: Digest,
        _ kind: ContentKind,
        size: Int?
    ) async throws(StoreError) -> Confirmation {
        let verdict = try await check(digest, kind, size: size, pace: nil)
        guard verdict == .intact, let file = leased(Name(digest: digest, kind: kind)) else {
            return .bad(verdict == .intact ? .missing : verdict)
        }
        return .intact(file)
    }

    package func quarantine(_ digest: Digest, _ kind: ContentKind) async throws(StoreError) -> Bool {
        let name = Name(digest: digest, kind: kind)
        return state.withLock { state in
            state.unreadable.remove(name)
            state.doubtful.remove(name)
            guard state.files.removeValue(forKey: name) != nil else { return false }
            state.quarantined.append(name)
            return true
        }
    }

    package func space() async throws(StoreError) -> StoreSpace { state.withLock { $0.space } }
}

/// Stored content that somebody has open: a lease on it.
final class LeasedMemoryFile: StoredFile {
    let contents: MemoryFile
    private let name: MemoryBlobStore.Name
    private let store: MemoryBlobStore

    /// Takes over a lease that was counted already.
    init(_ contents: MemoryFile, _ name: MemoryBlobStore.Name, in store: MemoryBlobStore) {
        self.contents = contents
        self.name = name
        self.store = store
    }

    deinit {
        store.giveBack(name)
    }

    var descriptor: Int32 { contents.descriptor }
    var size: Int { contents.size }
    var isUntouched: Bool { contents.isUntouched }
}
