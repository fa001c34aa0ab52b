import LMDB
import Logging
import MirrorCore
import Posix

/// The one writer of the index: a thread that commits what it finds in its mailbox, one transaction a wake-up.
///
/// While a commit waits for the disk the next batch gathers, so the slower the disk, the larger the batches. Submissions are
/// applied in the order in which they came. A batch that fails is done again, one submission at a time, so that a bad
/// one takes no other with it. Every few seconds, and when it is closed, it writes the uses that ``Touches`` has gathered.
final class IndexWriter: Sendable {
    typealias Completion = CheckedContinuation<Result<Void, IndexError>, Never>

    private enum Submission: Sendable {
        /// With a completion, unless nobody waits for it.
        case changes([IndexChange], Completion?)
        /// Work with transactions of its own, between two batches.
        case job(@Sendable (IndexStorage) -> Void)
    }

    private let mailbox: Mailbox<Submission>
    private let thread: DedicatedThread

    /// Bounds a transaction: how long the others wait for it, and the pages that it touches.
    private static let largestBatch = 512

    init(to storage: IndexStorage, options: LMDBCacheIndex.Options, logger: Logger) {
        let mailbox = Mailbox<Submission>()
        self.mailbox = mailbox
        // Captures no `self`, so that dropping the writer is possible.
        thread = DedicatedThread(name: "index") {
            let committer = IndexCommitter(to: storage, mapSize: options.mapSize, logger: logger)
            var folding = FoldingSchedule(every: options.foldInterval)
            while let batch = mailbox.take(upTo: Self.largestBatch, waitingUpTo: folding.remaining) {
                Self.run(batch, committer)
                if folding.isDue { committer.foldTouches() }
            }
            committer.foldTouches()
        }
    }

    deinit {
        mailbox.close()
    }

    /// Queues changes.
    ///
    /// After ``close()`` they are dropped.
    func post(_ changes: [IndexChange]) {
        guard !changes.isEmpty else { return }
        _ = mailbox.post(.changes(changes, nil))
    }

    /// Queues changes and waits for their commit.
    ///
    /// Cancelling the task changes nothing: the changes are made all the same.
    func commit(_ changes: [IndexChange]) async throws(IndexError) {
        let result = await withCheckedContinuation { (completion: Completion) in
            guard !mailbox.post(.changes(changes, completion)) else { return }
            completion.resume(returning: .failure(.closed))
        }
        try result.get()
    }

    /// Queues work that makes its own transactions, and waits for its end.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable (IndexStorage) throws(LMDBError) -> Value
    ) async throws(IndexError) -> Value {
        let result: Result<Value, IndexError> = await withCheckedContinuation { completion in
            let isQueued = mailbox.post(
                .job { storage in
                    do throws(LMDBError) {
                        completion.resume(returning: .success(try body(storage)))
                    } catch {
                        completion.resume(returning: .failure(IndexError(error)))
                    }
                }
            )
            if !isQueued { completion.resume(returning: .failure(.closed)) }
        }
        return try result.get()
    }

    /// Commits what is queued, and ends the thread.
    @available(*, noasync, message: "waits for the disk")
    func close() {
        mailbox.close()
        thread.join()
    }

    private static func run(_ batch: [Submission], _ committer: borrowing IndexCommitter) {
        var gathered: [IndexCommitter.Submission] = []
        for submission in batch {
            switch submission {
            case .changes(let changes, let completion):
                gathered.append(IndexCommitter.Submission(changes: changes, completion: completion))
            case .job(let body):
                committer.commit(gathered)
                gathered = []
                committer.perform(body)
            }
        }
        committer.commit(gathered)
    }
}

/// When uses are to be written next; monotonic.
private struct FoldingSchedule {
    private let interval: Duration
    private var next: ContinuousClock.Instant

    init(every interval: Duration) {
        self.interval = interval
        next = .now + interval
    }

    var remaining: Duration { max(.zero, ContinuousClock.now.duration(to: next)) }

    /// Whether the time has come; it then begins anew.
    var isDue: Bool {
        mutating get {
            guard remaining == .zero else { return false }
            next = .now + interval
            return true
        }
    }
}

extension IndexError {
    static let closed = Self.failed("the index is closed")

    init(_ error: LMDBError) {
        switch error.code {
        case .mapFull: self = .full
        case .corrupted, .keyLength, .readersFull, .transactionFull, .other: self = .failed(error.description)
        }
    }
}
