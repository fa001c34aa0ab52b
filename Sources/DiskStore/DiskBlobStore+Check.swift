import Logging
package import MirrorCore
package import OCI
import Posix

/// Reading what is stored again, to see whether it is still what it was.
extension DiskBlobStore {
    package func check(
        _ digest: Digest,
        _ kind: ContentKind,
        size: Int?,
        pace: Pace?
    ) async throws(StoreError) -> Verdict {
        let check = ContentCheck(of: digest, size: size, at: layout.path(of: digest, kind), on: threads)
        return try await check.run(at: pace)
    }

    package func confirm(
        _ digest: Digest,
        _ kind: ContentKind,
        size: Int?
    ) async throws(StoreError) -> Confirmation {
        var check = ContentCheck(of: digest, size: size, at: layout.path(of: digest, kind), on: threads)
        check.isForReader = true
        check.lease = { [leases] in leases.lease(digest, kind) }
        let confirmation = try await check.confirm()
        if case .intact(let file) = confirmation, keepsMarks, let file = file as? OpenFile,
            let status = try? file.status(), !Mark.isOn(status)
        {
            logger.warning(
                "stored content cannot be marked as right, and is hashed at each use",
                metadata: ["digest": "\(digest)", "path": "\(layout.path(of: digest, kind))"]
            )
        }
        return confirmation
    }
}

/// One look at one file, which marks it when it is right.
struct ContentCheck: Sendable {
    /// Somebody is about to read the file: what is read of it stays in memory.
    var isForReader = false
    /// Keeps eviction off, where that is wanted.
    var lease: (@Sendable () -> Lease)?
    private let digest: Digest
    private let size: Int?
    private let path: String
    private let threads: StoreThreads

    init(of digest: Digest, size: Int?, at path: String, on threads: StoreThreads) {
        self.digest = digest
        self.size = size
        self.path = path
        self.threads = threads
    }

    private enum Opening: Sendable {
        case opened(OpenFile, FileStatus)
        case settled(Verdict)
    }

    func run(at pace: Pace?) async throws(StoreError) -> Verdict {
        switch try await look(at: pace) {
        case .intact: .intact
        case .bad(let verdict): verdict
        }
    }

    /// The file too, so that it is what was hashed that is read.
    func confirm() async throws(StoreError) -> Confirmation { try await look(at: nil) }

    private func look(at pace: Pace?) async throws(StoreError) -> Confirmation {
        let file: OpenFile
        let status: FileStatus
        switch try await threads.run({ () throws(StoreError) in try open() }) {
        case .opened(let opened, let found): (file, status) = (opened, found)
        case .settled(let verdict): return .bad(verdict)
        }
        let hash = RunningHash(digest.algorithm)
        var offset = 0
        while true {
            guard !Task.isCancelled else { throw .cancelled }
            let start = offset
            switch try await threads.run({ read(file, at: start, into: hash) }) {
            case .success(0):
                guard hash.finish() == digest else { return .bad(.damaged) }
                try await threads.run { Self.mark(file, asItWas: status) }
                return .intact(file)
            case .success(let count):
                offset += count
                await pace?.spend(count)
            case .failure(let error): return .bad(try Self.verdict(on: error))
            }
        }
    }

    // MARK: - On a store thread

    private func open() throws(StoreError) -> Opening {
        do throws(SystemCallError) {
            let file = try FileDescriptor.open(path, .read)
            let status = try file.status()
            guard status.kind == .regular else { return .settled(.unreadable(errno: SystemCallError.notAFile)) }
            if let size, status.size < size { return .settled(.short(status.size)) }
            // What was read ahead would look like what others are reading.
            if !isForReader { PageCache.readExactly(file.rawValue) }
            guard let lease else { return .opened(OpenFile(file, size: status.size), status) }
            return .opened(OpenFile(file, size: status.size, lease: lease()), status)
        } catch {
            return .settled(try Self.verdict(on: error))
        }
    }

    /// Reads one piece; unless somebody waits for it, only that stays in memory which was there before.
    private func read(_ file: OpenFile, at offset: Int, into hash: RunningHash) -> Result<Int, SystemCallError> {
        let stays = isForReader || PageCache.holds(file.descriptor, offset: offset, count: RunningHash.piece)
        defer {
            if !stays { PageCache.drop(file.descriptor, offset: offset, count: RunningHash.piece) }
        }
        return hash.read(file, at: offset)
    }

    /// Marks a file that is right, unless somebody has touched it since it was opened: then the next use looks again.
    private static func mark(_ file: OpenFile, asItWas status: FileStatus) {
        guard !Mark.isOn(status), (try? file.status()) == status else { return }
        // Not ours to mark, perhaps: it is hashed at each use then.
        _ = try? file.mark()
    }

    /// What a failure says of the file; thrown when it says nothing of it.
    private static func verdict(on error: SystemCallError) throws(StoreError) -> Verdict {
        if error.isMissing { return .missing }
        if error.isOfResources { throw StoreError(error) }
        return .unreadable(errno: error.errno)
    }
}
