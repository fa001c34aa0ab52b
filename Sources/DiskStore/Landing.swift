import Locking
import MirrorCore
import OCI
import Posix

/// Makes complete and verified files durable and visible under their digests.
///
/// The order is what makes the store's first two invariants hold through a crash at any line:
///
/// 1. the bytes are on the device (fdatasync), and only then
/// 2. they get their name (rename: all or nothing), and
/// 3. the name is on the device (fsync of its directory), and only then
/// 4. the file is marked as right (``Mark``), and who waits is told.
///
/// The mark reaches the device when it will: a power failure that takes it with it costs one more look at the file.
///
/// The old name needs no fsync: a spool that is there again after a crash is removed at the next start, since its blob is
/// stored.
///
/// Files are synced one by one, so that a large one holds up nobody else. Those that are synced wait for their names
/// together: whichever thread comes first renames all that wait, then syncs each directory once. All renames of a group
/// are in one transaction of the file system's journal, which the first of those syncs writes.
final class Landing: Sendable {
    /// A file that is on the device, and waits for its name.
    private struct Candidate: Sendable {
        var file: OpenFile
        var spool: String
        var shard: String
        var target: String
        var done: CheckedContinuation<Result<Void, StoreError>, Never>
    }

    private let layout: Layout
    private let threads: StoreThreads
    private let shards = Shards()
    private let waiting = Locked<[Candidate]>([])

    init(in layout: Layout, on threads: StoreThreads) {
        self.layout = layout
        self.threads = threads
    }

    /// Lands a file; when it fails, the file has its old name.
    func land(
        _ file: OpenFile,
        named spool: String,
        as digest: Digest,
        _ kind: ContentKind
    ) async throws(StoreError) {
        try await threads.run { () throws(StoreError) in
            try storing { () throws(SystemCallError) in try file.synchronizeData() }
        }
        let result = await withCheckedContinuation { done in
            let candidate = Candidate(
                file: file,
                spool: spool,
                shard: layout.shard(of: digest, kind),
                target: layout.path(of: digest, kind),
                done: done
            )
            let isFirst = waiting.withLock { waiting in
                waiting.append(candidate)
                return waiting.count == 1
            }
            // The others of a group are taken with its first.
            if isFirst, !threads.post({ self.nameAll() }) { refuseAll() }
        }
        try result.get()
    }

    private func takeAll() -> [Candidate] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }

    private func refuseAll() {
        for candidate in takeAll() { candidate.done.resume(returning: .failure(.closed)) }
    }

    // MARK: - On a store thread

    private func nameAll() {
        let group = takeAll()
        var results = group.map { candidate in Result { () throws(SystemCallError) in try name(candidate) } }
        var synced: [String: Result<Void, SystemCallError>] = [:]
        for (index, candidate) in group.enumerated() {
            guard case .success = results[index] else { continue }
            let sync =
                synced[candidate.shard]
                ?? Result { () throws(SystemCallError) in try Directory.synchronize(candidate.shard) }
            synced[candidate.shard] = sync
            results[index] = sync
            guard case .failure = sync else {
                // A file without a mark is as good as one with it, once somebody has hashed it.
                _ = try? candidate.file.mark()
                continue
            }
            shards.forget(candidate.shard)
            // A name that may not be durable is none.
            try? File.rename(candidate.target, to: candidate.spool)
        }
        for (candidate, result) in zip(group, results) {
            candidate.done.resume(returning: result.mapError(StoreError.init))
        }
    }

    private func name(_ candidate: Candidate) throws(SystemCallError) {
        do throws(SystemCallError) {
            try shards.prepare(candidate.shard)
            // What has the name already has the same content; its readers keep what they have open.
            try File.rename(candidate.spool, to: candidate.target)
        } catch {
            shards.forget(candidate.shard)
            throw error
        }
    }
}
