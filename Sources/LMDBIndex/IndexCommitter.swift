import LMDB
import Logging
import MirrorCore
import Posix

/// Makes transactions of submissions: all of a batch in one, or each in its own when that fails.
///
/// Confined to the writer's thread. A submission is all or nothing; one that only removes is made piece by piece where it does
/// not fit, since a full map is what it is to end.
struct IndexCommitter {
    struct Submission {
        var changes: [IndexChange]
        /// Absent for those that nobody waits for.
        var completion: IndexWriter.Completion?

        var isRemoval: Bool { changes.allSatisfy(\.isRemoval) }
    }

    private let storage: IndexStorage
    private let room: MapRoom
    private let logger: Logger

    /// Uses in one transaction: each touches some pages.
    private static let usesPerTransaction = 4096
    /// Removals in one transaction when the map is full.
    private static let smallestPiece = 4

    init(to storage: IndexStorage, mapSize: Int, logger: Logger) {
        self.storage = storage
        room = MapRoom(mapSize: mapSize)
        self.logger = logger
    }

    func commit(_ batch: [Submission]) {
        guard !batch.isEmpty else { return }
        let failure = attempt(batch)
        guard failure != nil, batch.count > 1 else {
            for submission in batch { settle(submission, failure) }
            return
        }
        for submission in batch { settle(submission, attempt([submission])) }
    }

    func perform(_ body: (IndexStorage) -> Void) {
        body(storage)
    }

    /// Writes the uses of the last seconds.
    func foldTouches() {
        let tables = storage.tables
        while true {
            let uses = storage.touches.pending(upTo: Self.usesPerTransaction)
            guard !uses.isEmpty else { return }
            do throws(LMDBError) {
                try storage.environment.write { transaction throws(LMDBError) in
                    try transaction.fold(uses, at: .now(), in: tables)
                }
            } catch {
                // Nobody misses an access time for long: what is used is used again.
                logger.warning("Uses of stored content not written", metadata: ["error": "\(error)"])
            }
            storage.touches.settle()
            guard uses.count >= Self.usesPerTransaction else { return }
        }
    }

    private func attempt(_ batch: [Submission]) -> LMDBError? {
        do throws(LMDBError) {
            try requireRoom(for: batch)
            try write(batch.flatMap(\.changes))
            return nil
        } catch {
            guard error.code == .mapFull, batch.count == 1, batch[0].isRemoval else { return error }
            return removePieceByPiece(batch[0].changes)
        }
    }

    private func requireRoom(for batch: [Submission]) throws(LMDBError) {
        let growing = batch.filter { !$0.isRemoval }.flatMap(\.changes)
        guard !growing.isEmpty else { return }
        guard try room.admits(growing, storage.environment) else { throw .mapFull }
    }

    private func removePieceByPiece(_ changes: [IndexChange]) -> LMDBError? {
        do throws(LMDBError) {
            for start in stride(from: 0, to: changes.count, by: Self.smallestPiece) {
                try write(Array(changes[start..<min(changes.count, start + Self.smallestPiece)]))
            }
            return nil
        } catch {
            return error
        }
    }

    private func write(_ changes: [IndexChange]) throws(LMDBError) {
        let now = WallTime(milliseconds: WallClock.milliseconds)
        let numbers = try storage.environment.write { transaction throws(LMDBError) in
            var update = try IndexUpdate(of: storage, at: now, in: &transaction)
            for change in changes { try update.apply(change, to: &transaction) }
            try update.finish(&transaction)
            return update.newNumbers
        }
        storage.remember(numbers)
    }

    private func settle(_ submission: Submission, _ failure: LMDBError?) {
        guard let failure else {
            submission.completion?.resume(returning: .success(()))
            return
        }
        let error = IndexError(failure)
        logger.error("Index changes lost", metadata: ["changes": "\(submission.changes.count)", "error": "\(error)"])
        submission.completion?.resume(returning: .failure(error))
    }
}
