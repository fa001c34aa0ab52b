import Locking
import Logging
import MirrorCore
import OCI
import Posix
import Synchronization

/// The spools of a data directory: it makes them, and keeps those that wait for their next flight.
///
/// A file has one owner at a time: a ``DiskSpool``, or the list of those that wait. There is at most one of a digest in it.
final class SpoolDirectory: Sendable {
    let layout: Layout
    let landing: Landing
    let threads: StoreThreads
    let leases: Leases
    let rules: SpoolRules
    let logger: Logger
    private let waiting: Locked<[Digest: WaitingSpool]>
    private let isSyncing = Atomic(false)

    /// Looks through what an earlier process has left: blocks on the disk.
    init(
        in layout: Layout,
        on threads: StoreThreads,
        landing: Landing,
        leases: Leases,
        rules: SpoolRules,
        logger: Logger
    ) throws(SystemCallError) {
        self.layout = layout
        self.landing = landing
        self.threads = threads
        self.leases = leases
        self.rules = rules
        self.logger = logger
        waiting = Locked(try SpoolSweep(layout: layout, rules: rules, logger: logger).run())
    }

    /// An empty spool.
    func make(_ digest: Digest) throws(StoreError) -> DiskSpool {
        let name = SpoolName(for: digest)
        let contents = try storing { () throws(SystemCallError) in
            let file = try FileDescriptor.open(layout.path(of: name), .createNew)
            return OpenFile(file, size: 0, lease: leases.lease(digest, .blob))
        }
        let note = SpoolNote(at: layout.notePath(of: name), length: nil, mayExist: false)
        return DiskSpool(name, contents, RunningHash(digest.algorithm), note, in: self)
    }

    // MARK: - Those that wait

    var unfinished: [UnfinishedBlob] {
        waiting.withLock { $0 }
            .map { UnfinishedBlob(digest: $0.key, received: $0.value.size, expectedLength: $0.value.length) }
    }

    /// Takes up what waits for a digest, after hashing what is there.
    func resume(_ digest: Digest) async throws(StoreError) -> DiskSpool? {
        guard let spool = waiting.withLock({ $0.removeValue(forKey: digest) }) else { return nil }
        let hash = RunningHash(digest.algorithm)
        do throws(StoreError) {
            let contents = try await open(spool)
            if let failure = try await rehash(contents, into: hash) {
                logger.warning("a spool cannot be read", metadata: ["digest": "\(digest)", "error": "\(failure)"])
                remove(spool.name)
                return nil
            }
            let note = SpoolNote(at: layout.notePath(of: spool.name), length: spool.length, mayExist: true)
            return DiskSpool(spool.name, contents, hash, note, in: self)
        } catch {
            if error == .missing {
                remove(spool.name)
                return nil
            }
            // Out of descriptors, cancelled: the next one may have more luck.
            leave(spool)
            throw error
        }
    }

    private func open(_ spool: WaitingSpool) async throws(StoreError) -> OpenFile {
        try await threads.run { [layout, leases] () throws(StoreError) in
            try storing { () throws(SystemCallError) in
                let file = try FileDescriptor.open(layout.path(of: spool.name), .update)
                // What is past the size was never promised to be there, and what is before it has to be.
                guard try file.status().size >= spool.size else { throw .missing(layout.path(of: spool.name)) }
                try file.truncate(to: spool.size)
                return OpenFile(file, size: spool.size, lease: leases.lease(spool.name.digest, .blob))
            }
        }
    }

    /// Returns why the file cannot be read, if it cannot.
    private func rehash(_ file: OpenFile, into hash: RunningHash) async throws(StoreError) -> SystemCallError? {
        var offset = 0
        while offset < file.size {
            guard !Task.isCancelled else { throw .cancelled }
            let start = offset
            let piece = try await threads.run { hash.read(file, at: start) }
            switch piece {
            case .success(0): return .missing(nil)
            case .success(let count): offset += count
            case .failure(let error): return error
            }
        }
        return nil
    }

    /// Makes a spool wait for its next flight; of two with one digest the longer one.
    func leave(_ spool: WaitingSpool) {
        let loser = waiting.withLock { waiting -> WaitingSpool? in
            guard let other = waiting[spool.name.digest] else {
                waiting[spool.name.digest] = spool
                return nil
            }
            guard spool.size > other.size else { return spool }
            waiting[spool.name.digest] = spool
            return other
        }
        if let loser { remove(loser.name) }
    }

    /// Removes what waits for a digest.
    func drop(_ digest: Digest) {
        guard let spool = waiting.withLock({ $0.removeValue(forKey: digest) }) else { return }
        remove(spool.name)
    }

    /// What cannot be removed now is removed at a later start.
    private func remove(_ name: SpoolName) {
        let files = [layout.notePath(of: name), layout.path(of: name)]
        let removal: @Sendable () -> Void = { for file in files { _ = try? File.remove(file) } }
        if !threads.post(removal) { removal() }
    }

    // MARK: - Syncing as they grow

    /// Runs a sync on a store thread, unless one is under way: a second one would leave no thread to land on.
    ///
    /// - Returns: whether it will run.
    func sync(_ work: @escaping @Sendable () -> Void) -> Bool {
        guard isSyncing.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
            return false
        }
        let isTaken = threads.post { [self] in
            work()
            isSyncing.store(false, ordering: .releasing)
        }
        if !isTaken { isSyncing.store(false, ordering: .releasing) }
        return isTaken
    }
}
