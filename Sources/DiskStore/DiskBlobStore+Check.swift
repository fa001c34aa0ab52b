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
}

/// One look at one file.
struct ContentCheck: Sendable {
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
        case opened(OpenFile)
        case settled(Verdict)
    }

    func run(at pace: Pace?) async throws(StoreError) -> Verdict {
        let file: OpenFile
        switch try await threads.run({ () throws(StoreError) in try open() }) {
        case .opened(let opened): file = opened
        case .settled(let verdict): return verdict
        }
        let hash = RunningHash(digest.algorithm)
        var offset = 0
        while true {
            guard !Task.isCancelled else { throw .cancelled }
            let start = offset
            switch try await threads.run({ Self.read(file, at: start, into: hash) }) {
            case .success(0): return hash.finish() == digest ? .intact : .damaged
            case .success(let count):
                offset += count
                await pace?.spend(count)
            case .failure(let error): return try Self.verdict(on: error)
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
            PageCache.readExactly(file.rawValue)
            return .opened(OpenFile(file, size: status.size))
        } catch {
            return .settled(try Self.verdict(on: error))
        }
    }

    /// Reads one piece, and leaves in memory only what was there before: others may be reading that.
    private static func read(_ file: OpenFile, at offset: Int, into hash: RunningHash) -> Result<Int, SystemCallError> {
        let wasThere = PageCache.holds(file.descriptor, offset: offset, count: RunningHash.piece)
        defer {
            if !wasThere { PageCache.drop(file.descriptor, offset: offset, count: RunningHash.piece) }
        }
        return hash.read(file, at: offset)
    }

    /// What a failure says of the file; thrown when it says nothing of it.
    private static func verdict(on error: SystemCallError) throws(StoreError) -> Verdict {
        if error.isMissing { return .missing }
        if error.isOfResources { throw StoreError(error) }
        return .unreadable(errno: error.errno)
    }
}
