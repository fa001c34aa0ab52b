import LMDB
import MirrorCore

/// Counts what is stored, object by object, and gives a place in recency to what has none.
///
/// A thousand objects a transaction, on the thread that writes, so that nothing changes between two of them; the totals are
/// written when all is counted. One that is cut short has done no harm, and is done again.
struct Census {
    private let storage: IndexStorage
    private var totals = Totals()

    private static let objectsPerTransaction = 1000

    /// Takes one if the totals are those of a version that knew no recency: once in the life of an index.
    @available(*, noasync, message: "waits for the disk")
    static func takeIfNeeded(of storage: IndexStorage) throws(LMDBError) {
        let tables = storage.tables
        let isNeeded = try storage.environment.read { transaction throws(LMDBError) in
            if let totals = try transaction.totals(in: tables) { return totals.manifestBytes == nil }
            for table in [tables.blobs, tables.manifests, tables.repositories]
            where try transaction.count(of: table) > 0 {
                return true
            }
            return false
        }
        if isNeeded { _ = try take(of: storage) }
    }

    /// Counts, and puts the totals right.
    @available(*, noasync, message: "waits for the disk")
    static func take(of storage: IndexStorage) throws(LMDBError) -> StoredTotals {
        var census = Census(storage: storage)
        for kind in ContentKind.allCases {
            var last: [UInt8]? = []
            while let previous = last { last = try census.countSome(of: kind, after: previous) }
        }
        return try census.finish()
    }

    private init(storage: IndexStorage) {
        self.storage = storage
    }

    /// Returns the last key that was looked at, if there are more.
    private mutating func countSome(of kind: ContentKind, after previous: [UInt8]) throws(LMDBError) -> [UInt8]? {
        let storage = storage
        let now = WallTime.now()
        let found = try storage.environment.write { transaction throws(LMDBError) in
            let part = try Self.objects(of: kind, after: previous, storage.tables, transaction)
            for object in part.objects where try transaction.use(of: object.key, in: storage.tables) == nil {
                let landedAt = object.landedAt ?? now
                let record = UseRecord(use: storage.touches.nextUse(), landedAt: landedAt, usedAt: landedAt)
                try transaction.setUse(of: object.key, to: record, in: storage.tables)
            }
            return part
        }
        for object in found.objects { totals.replace(kind, oldSize: nil, newSize: object.size) }
        return found.last
    }

    private struct Part: Sendable {
        var objects: [Object] = []
        /// Where to go on.
        var last: [UInt8]?
    }

    private struct Object: Sendable {
        var key: ObjectKey
        var size: Int
        var landedAt: WallTime?
    }

    private static func objects(
        of kind: ContentKind,
        after previous: [UInt8],
        _ tables: Tables,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Part {
        var part = Part()
        let everything: [UInt8] = []
        let isComplete = try transaction.walk(
            prefix: everything.span,
            after: previous,
            in: tables.stored(kind),
            limit: objectsPerTransaction
        ) { key, record in
            part.last = [UInt8](copying: key)
            var reader = KeyReader()
            guard let digest = reader.digest(in: key) else { return true }
            let landedAt = kind == .blob ? BlobRecord(record: record)?.landedAt : nil
            let size = kind.size(inRecord: record) ?? 0
            part.objects.append(Object(key: ObjectKey(digest: digest, kind: kind), size: size, landedAt: landedAt))
            return true
        }
        if isComplete { part.last = nil }
        return part
    }

    private func finish() throws(LMDBError) -> StoredTotals {
        let storage = storage
        let counted = totals
        return try storage.environment.write { transaction throws(LMDBError) in
            var totals = counted
            // None is ever removed.
            totals.repositories = UInt32(clamping: try transaction.count(of: storage.tables.repositories))
            let key = Key.totals
            try transaction.put(totals.record.span, for: key.span, in: storage.tables.meta)
            return totals.stored
        }
    }
}

extension ReadTransaction {
    borrowing func totals(in tables: Tables) throws(LMDBError) -> Totals? {
        let key = Key.totals
        return try withValue(for: key.span, in: tables.meta) { Totals(record: $0) } ?? nil
    }
}
