import Locking
import Logging
import MirrorCore
import OCI
import Posix
import Synchronization

/// A blob on its way, in a file of its own under `spool/`.
///
///     writing ──verify──▶ verified ──land──▶ landing ──▶ landed
///        │                   │  ▲               │
///        │                   │  └─── failure ───┘
///        ├─────── keep ──────┤
///        └────── discard ────┴──────────────▶ ended: the file waits for its next flight, or is gone
///
/// 1. The hash covers exactly the bytes that are in the file.
/// 2. Only a file whose hash is the digest lands.
/// 3. A spool that goes away while it is writing or verified waits for its next flight, like that of a process that was
///    killed; but one that is empty, that has not its digest, or of which the disk has lost something is removed.
/// 4. What the note says was synced, was synced.
final class DiskSpool: Spool {
    private enum Phase {
        case writing
        case verified(Bool)
        case landing
        case landed
        case ended
    }

    private let name: SpoolName
    private let contents: OpenFile
    private let hash: RunningHash
    private let note: SpoolNote
    private let spools: SpoolDirectory
    private let phase = Locked(Phase.writing)
    /// The size when a sync was last asked for.
    private let syncAsked: Atomic<Int>

    init(
        _ name: SpoolName,
        _ contents: OpenFile,
        _ hash: RunningHash,
        _ note: SpoolNote,
        in spools: SpoolDirectory
    ) {
        self.name = name
        self.contents = contents
        self.hash = hash
        self.note = note
        self.spools = spools
        syncAsked = Atomic(contents.size)
    }

    deinit {
        if let isUseful = end() { leaveOrRemove(isUseful) }
    }

    var file: any StoredFile { contents }
    var received: Int { contents.size }
    var expectedLength: Int? { note.length }
    private var path: String { spools.layout.path(of: name) }

    func expect(length: Int) {
        note.expect(length: length)
    }

    // MARK: - Writing

    func append(_ bytes: Span<UInt8>) throws(StoreError) {
        // The lock is hardly ever waited for: writing belongs to one flight, and the others come when it is over.
        try phase.withLock { phase throws(StoreError) in
            guard case .writing = phase else { throw .ended }
            // Written first: what the disk refused is not in the hash, and may be tried again.
            try storing { () throws(SystemCallError) in try contents.append(bytes) }
            hash.update(bytes)
        }
        syncIfDue()
    }

    /// Has the file synced every so often, so that the machine's end costs no more than that.
    private func syncIfDue() {
        let size = contents.size
        guard size - syncAsked.load(ordering: .relaxed) >= spools.rules.syncInterval else { return }
        let willSync = spools.sync { [contents, note, spools] in
            do throws(SystemCallError) {
                try Self.synchronize(contents, note)
            } catch {
                // A loss shows at the next write; want of room for the note only makes it old.
                spools.logger.warning("a spool could not be synced", metadata: ["error": "\(error)"])
            }
        }
        if willSync { syncAsked.store(size, ordering: .relaxed) }
    }

    /// Waits for the disk: on a store thread.
    private static func synchronize(_ contents: OpenFile, _ note: SpoolNote) throws(SystemCallError) {
        // Before the sync: what is appended meanwhile may or may not be in it.
        let size = contents.size
        try contents.synchronizeData()
        try note.write(synced: size)
    }

    func verify() -> Bool {
        phase.withLock { phase in
            switch phase {
            case .verified(let isRight): return isRight
            case .landing, .landed: return true
            case .ended: return false
            case .writing:
                let isRight = hash.finish() == name.digest
                phase = .verified(isRight)
                return isRight
            }
        }
    }

    func verifier() -> (any BlobVerifier)? {
        guard contents.isSound, let hash = hash.copy() else { return nil }
        return StreamVerifier(of: name.digest, after: hash)
    }

    func commonPrefix(with other: any Spool) async throws(StoreError) -> Int {
        guard let other = other as? DiskSpool else { throw .foreign }
        let (mine, theirs) = (contents, other.contents)
        return try await spools.threads.run { () throws(StoreError) in
            try storing { () throws(SystemCallError) in try Self.commonPrefix(mine, theirs) }
        }
    }

    private static func commonPrefix(_ one: OpenFile, _ other: OpenFile) throws(SystemCallError) -> Int {
        let piece = 256 << 10
        var offset = 0
        while true {
            let (left, right) = (try one.read(piece, at: offset), try other.read(piece, at: offset))
            let same = zip(left, right).prefix { $0 == $1 }.count
            offset += same
            guard same == piece else { return offset }
        }
    }

    // MARK: - Ends

    func land() async throws(StoreError) {
        try phase.withLock { phase throws(StoreError) in
            guard case .verified(true) = phase else { throw .unverified }
            phase = .landing
        }
        do throws(StoreError) {
            try await spools.landing.land(contents, named: path, as: name.digest, .blob)
        } catch {
            // Still there and still right: the caller may make room and land again, keep it, or discard it.
            phase.withLock { $0 = .verified(true) }
            throw error
        }
        phase.withLock { $0 = .landed }
        note.remove()
        // What an earlier flight left of it is of no use any more.
        spools.drop(name.digest)
    }

    func keep() async {
        guard let isUseful = end() else { return }
        guard isUseful else { return leaveOrRemove(false) }
        do throws(StoreError) {
            try await spools.threads.run { [contents, note] () throws(StoreError) in
                try storing { () throws(SystemCallError) in try Self.synchronize(contents, note) }
            }
        } catch {
            // As long as the machine runs, it is there all the same; unless the disk has lost some of it.
        }
        leaveOrRemove(contents.isSound)
    }

    func discard() {
        if end() != nil { leaveOrRemove(false) }
    }

    /// Ends the spool, once; returns whether it is worth keeping, and `nil` when it was over already.
    private func end() -> Bool? {
        phase.withLock { phase in
            let isRight: Bool
            switch phase {
            case .landing, .landed, .ended: return nil
            case .writing: isRight = true
            case .verified(let isVerified): isRight = isVerified
            }
            phase = .ended
            return isRight && contents.size > 0 && contents.isSound
        }
    }

    private func leaveOrRemove(_ isUseful: Bool) {
        if isUseful {
            return spools.leave(WaitingSpool(name: name, size: contents.size, length: note.length))
        }
        // A file that cannot be removed now is removed at the next start.
        _ = try? File.remove(path)
        note.remove()
    }
}
