import Hashing
import Locking
import MirrorCore
import OCI
import Posix

/// A blob on its way, in a file of its own under `spool/`.
///
///     writing ──verify──▶ verified ──land──▶ landing ──▶ landed
///        │                   │  ▲               │
///        │                   │  └─── failure ───┘
///        └───── discard ─────┴───────────────────────▶ discarded
///
/// 1. The hash covers exactly the bytes that are in the file.
/// 2. Only a file whose hash is the digest lands.
/// 3. A spool that is neither landed nor discarded takes its file along when the last reference to it goes.
final class DiskSpool: Spool {
    private enum Phase {
        case writing
        case verified(Bool)
        case landing
        case landed
        case discarded
    }

    /// A class, because the hasher cannot be copied.
    private final class Progress {
        var phase = Phase.writing
        /// Present while writing.
        var hasher: ContentHasher?

        init(_ algorithm: HashAlgorithm) {
            hasher = ContentHasher(algorithm)
        }
    }

    private let digest: Digest
    private let landing: Landing
    private let threads: StoreThreads
    private let path: String
    private let contents: OpenFile
    private let progress: Locked<Progress>

    init(for digest: Digest, landing: Landing, on threads: StoreThreads) throws(StoreError) {
        let path = landing.layout.newSpool(for: digest)
        self.digest = digest
        self.landing = landing
        self.threads = threads
        self.path = path
        contents = try storing { () throws(SystemCallError) in
            OpenFile(try FileDescriptor.open(path, .createNew), size: 0)
        }
        progress = Locked(Progress(HashAlgorithm(digest.algorithm)))
    }

    deinit {
        discard()
    }

    var file: any StoredFile { contents }

    func append(_ bytes: Span<UInt8>) throws(StoreError) {
        // The lock is hardly ever waited for: writing belongs to one flight, and the others come when it is over.
        try progress.withLock { progress throws(StoreError) in
            guard case .writing = progress.phase else { throw .ended }
            // Written first: what the disk refused is not in the hash, and may be tried again.
            try storing { () throws(SystemCallError) in try contents.append(bytes) }
            progress.hasher?.update(bytes)
        }
    }

    func verify() -> Bool {
        progress.withLock { progress in
            switch progress.phase {
            case .verified(let isRight): return isRight
            case .landing, .landed: return true
            case .discarded: return false
            case .writing:
                guard let hash = progress.hasher.take()?.finalize() else { return false }
                let isRight = Digest(algorithm: digest.algorithm, bytes: hash.span) == digest
                progress.phase = .verified(isRight)
                return isRight
            }
        }
    }

    func commonPrefix(with other: any Spool) async throws(StoreError) -> Int {
        guard let other = other as? DiskSpool else { throw .foreign }
        let (mine, theirs) = (contents, other.contents)
        return try await threads.run { () throws(StoreError) in
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

    func land() async throws(StoreError) {
        try beginLanding()
        do throws(StoreError) {
            try await threads.run { [landing, contents, path, digest] () throws(StoreError) in
                try landing.land(contents, named: path, as: digest, .blob)
            }
            endLanding(in: .landed)
        } catch {
            // Still there and still right: the caller may make room and land again, or discard.
            endLanding(in: .verified(true))
            throw error
        }
    }

    func discard() {
        let hadFile = progress.withLock { progress in
            switch progress.phase {
            case .landing, .landed, .discarded: return false
            case .writing, .verified:
                progress.phase = .discarded
                progress.hasher = nil
                return true
            }
        }
        // A file that cannot be removed now is removed at the next start.
        if hadFile { _ = try? File.remove(path) }
    }

    private func beginLanding() throws(StoreError) {
        try progress.withLock { progress throws(StoreError) in
            guard case .verified(true) = progress.phase else { throw .unverified }
            progress.phase = .landing
        }
    }

    private func endLanding(in phase: Phase) {
        progress.withLock { $0.phase = phase }
    }
}
