import LMDB
import Logging
package import MirrorCore
package import OCI

/// Eviction, and what keeps the index itself from growing.
extension LMDBCacheIndex {
    /// The most entries that one call looks at.
    private static let mostEntries = 1000

    /// A limit that makes progress and is none too large.
    static func entries(_ limit: Int) -> Int { max(1, min(limit, mostEntries)) }

    package func evictionCandidates(
        of kind: ContentKind,
        after cursor: IndexCursor?,
        limit: Int,
        protecting isProtected: (Digest) -> Bool
    ) async -> EvictionPage {
        let found: EvictionWalk.Result
        do throws(LMDBError) {
            found = try storage.environment.read { transaction throws(LMDBError) in
                var walk = try EvictionWalk(of: kind, in: storage, transaction)
                return try walk.page(after: cursor, limit: Self.entries(limit), transaction)
            }
        } catch {
            logger.error("Index cannot be read", metadata: ["error": "\(error)"])
            return EvictionPage(candidates: [], next: nil, recordsRead: 0)
        }
        var page = EvictionPage(candidates: [], next: found.next, recordsRead: found.recordsRead)
        var moves = found.moves
        // Outside the transaction: nobody else's code runs in one.
        for (object, use) in found.candidates {
            guard isProtected(object.digest) else {
                page.candidates.append(object)
                continue
            }
            let key = ObjectKey(digest: object.digest, kind: kind)
            moves.append(RecencyMove(object: key, from: use, to: storage.touches.nextUse()))
        }
        await apply(moves)
        return page
    }

    /// Waits, so that the next page is read from the order as it then is.
    private func apply(_ moves: [RecencyMove]) async {
        guard !moves.isEmpty else { return }
        do throws(IndexError) {
            try await writer.perform { storage throws(LMDBError) in
                try storage.environment.write { transaction throws(LMDBError) in
                    try transaction.apply(moves, in: storage.tables)
                }
            }
        } catch {
            // They are met again at their old places.
            logger.warning("Order of use not brought up to date", metadata: ["error": "\(error)"])
        }
    }

    package func isPinned(_ digest: Digest) -> Bool {
        do throws(LMDBError) {
            return try storage.environment.read { transaction throws(LMDBError) in
                var closure = try Closure(of: storage, transaction)
                return try closure.inheritance(of: digest, transaction).isPinned
            }
        } catch {
            logger.error("Index cannot be read", metadata: ["error": "\(error)"])
            // Nothing is given up on no evidence.
            return true
        }
    }

    package var isRebuildPending: Bool {
        let key = Key.rebuild
        do throws(LMDBError) {
            return try storage.environment.read { transaction throws(LMDBError) in
                try transaction.withValue(for: key.span, in: storage.tables.meta) { _ in true } ?? false
            }
        } catch {
            logger.error("Index cannot be read", metadata: ["error": "\(error)"])
            return false
        }
    }

    package func prune(
        olderThan time: WallTime,
        after cursor: IndexCursor?,
        limit: Int
    ) async throws(IndexError) -> PrunedPage {
        try await writer.perform { storage throws(LMDBError) in
            try Pruning(of: storage.tables, olderThan: time, at: .now())
                .page(after: cursor, limit: Self.entries(limit), in: storage.environment)
        }
    }

    package func recount() async throws(IndexError) -> StoredTotals {
        try await writer.perform { storage throws(LMDBError) in try Census.take(of: storage) }
    }
}
