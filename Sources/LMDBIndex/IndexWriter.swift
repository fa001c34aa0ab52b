import LMDB
import Logging
import MirrorCore
import Posix

/// The one writer of the index: a thread that commits what it finds in its mailbox, one transaction a wake-up.
///
/// While a commit waits for the disk the next batch gathers, so the slower the disk, the larger the batches. Submissions are
/// applied in the order in which they came. A batch that fails is done again, one submission at a time, so that a bad
/// one takes no other with it.
final class IndexWriter: Sendable {
    typealias Completion = CheckedContinuation<Result<Void, IndexError>, Never>

    private struct Submission: Sendable {
        var changes: [IndexChange]
        /// Absent for those that nobody waits for.
        var completion: Completion?
    }

    private let mailbox: Mailbox<Submission>
    private let thread: DedicatedThread

    /// Bounds a transaction: how long the others wait for it, and the pages that it touches.
    private static let largestBatch = 512

    init(to storage: IndexStorage, logger: Logger) {
        let mailbox = Mailbox<Submission>()
        self.mailbox = mailbox
        // Captures no `self`, so that dropping the writer is possible.
        thread = DedicatedThread(name: "index") {
            while let batch = mailbox.take(upTo: Self.largestBatch) {
                Self.commit(batch, to: storage, logger)
            }
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
        _ = mailbox.post(Submission(changes: changes, completion: nil))
    }

    /// Queues changes and waits for their commit.
    ///
    /// Cancelling the task changes nothing: the changes are made all the same.
    func commit(_ changes: [IndexChange]) async throws(IndexError) {
        let result = await withCheckedContinuation { (completion: Completion) in
            guard !mailbox.post(Submission(changes: changes, completion: completion)) else { return }
            completion.resume(returning: .failure(.failed("the index is closed")))
        }
        try result.get()
    }

    /// Commits what is queued, and ends the thread.
    @available(*, noasync, message: "waits for the disk")
    func close() {
        mailbox.close()
        thread.join()
    }

    private static func commit(_ batch: [Submission], to storage: IndexStorage, _ logger: Logger) {
        let failure = attempt(batch, storage)
        guard failure != nil, batch.count > 1 else {
            for submission in batch { settle(submission, failure, logger) }
            return
        }
        for submission in batch { settle(submission, attempt([submission], storage), logger) }
    }

    private static func attempt(_ batch: [Submission], _ storage: IndexStorage) -> LMDBError? {
        let now = WallTime(milliseconds: WallClock.milliseconds)
        do throws(LMDBError) {
            let numbers = try storage.environment.write { transaction throws(LMDBError) in
                var update = try IndexUpdate(of: storage, at: now, in: &transaction)
                for submission in batch {
                    for change in submission.changes { try update.apply(change, to: &transaction) }
                }
                try update.finish(&transaction)
                return update.newNumbers
            }
            storage.remember(numbers)
            return nil
        } catch {
            return error
        }
    }

    private static func settle(_ submission: Submission, _ failure: LMDBError?, _ logger: Logger) {
        guard let failure else {
            submission.completion?.resume(returning: .success(()))
            return
        }
        let error = IndexError(failure)
        logger.error("Index changes lost", metadata: ["changes": "\(submission.changes.count)", "error": "\(error)"])
        submission.completion?.resume(returning: .failure(error))
    }
}

extension IndexError {
    init(_ error: LMDBError) {
        switch error.code {
        case .mapFull: self = .full
        case .corrupted, .keyLength, .readersFull, .transactionFull, .other: self = .failed(error.description)
        }
    }
}
