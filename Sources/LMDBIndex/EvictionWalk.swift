import LMDB
import MirrorCore
import OCI

/// Looks for what to evict, from the least recently used on, in one snapshot.
///
/// An object found at place *p* of the order whose closure was used at *q* belongs at *q*. It is evictable in this page
/// when no unvisited object can come before *q*, that is when the walk has reached *q*; else it is moved there, and is
/// met again when eviction has come so far.
struct EvictionWalk {
    private let storage: IndexStorage
    private let kind: ContentKind
    private var closure: Closure
    private var visits: [Visit] = []
    private var moves: [RecencyMove] = []

    /// The most records that one page reads.
    private static let mostRecordsRead = 4096

    /// What a page comes to.
    struct Result: Sendable {
        var candidates: [(object: StoredObject, use: Use)] = []
        var moves: [RecencyMove] = []
        var next: IndexCursor?
        var recordsRead = 0
    }

    private struct Visit {
        var object: StoredObject
        /// Its place in the order.
        var own: Use
        /// The place of its closure.
        var effective: Use
        var usedAt: WallTime?
    }

    /// An entry of the order.
    private struct Entry: Sendable {
        var object: ObjectKey
        var use: Use
        var key: [UInt8]
    }

    init(
        of kind: ContentKind,
        in storage: IndexStorage,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) {
        self.storage = storage
        self.kind = kind
        closure = try Closure(of: storage, transaction)
    }

    mutating func page(
        after cursor: IndexCursor?,
        limit: Int,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> Result {
        let (entries, isComplete) = try entries(after: cursor, limit: limit, transaction)
        var last: Entry?
        for entry in entries {
            guard closure.recordsRead < Self.mostRecordsRead else { break }
            try visit(entry, transaction)
            last = entry
        }
        let isEnd = isComplete && last?.key == entries.last?.key
        return result(frontier: isEnd ? .max : last?.use ?? 0, next: isEnd ? nil : last.map { IndexCursor($0.key) })
    }

    private func result(frontier: Use, next: IndexCursor?) -> Result {
        var result = Result(moves: moves, next: next, recordsRead: closure.recordsRead + visits.count)
        for visit in visits.sorted(by: { ($0.effective, $0.own) < ($1.effective, $1.own) }) {
            if visit.effective <= frontier {
                result.candidates.append((visit.object, visit.own))
            } else {
                let object = ObjectKey(digest: visit.object.digest, kind: kind)
                result.moves.append(
                    RecencyMove(object: object, from: visit.own, to: visit.effective, usedAt: visit.usedAt)
                )
            }
        }
        return result
    }

    private func entries(
        after cursor: IndexCursor?,
        limit: Int,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> (entries: [Entry], isComplete: Bool) {
        var entries: [Entry] = []
        let (kind, prefix) = (kind, [kind.rawValue])
        let isComplete = try transaction.walk(
            prefix: prefix.span,
            after: cursor?.bytes ?? [],
            in: storage.tables.recency,
            limit: limit
        ) { key, _ in
            var reader = KeyReader(droppingFirst: 1)
            guard let use = reader.bigEndian(Use.self, in: key), let digest = reader.digest(in: key) else {
                return true
            }
            let object = ObjectKey(digest: digest, kind: kind)
            entries.append(Entry(object: object, use: use, key: [UInt8](copying: key)))
            return true
        }
        return (entries, isComplete)
    }

    private mutating func visit(_ entry: Entry, _ transaction: borrowing ReadTransaction) throws(LMDBError) {
        let digest = entry.object.digest
        let key = Key.content(digest)
        let kind = kind
        let size = try transaction.withValue(for: key.span, in: storage.tables.stored(kind)) { record in
            kind.size(inRecord: record) ?? 0
        }
        guard let size, let use = try closure.use(of: entry.object, transaction) else {
            moves.append(RecencyMove(object: entry.object, from: entry.use, to: nil))
            return
        }
        let inherited = try closure.inheritance(of: digest, transaction)
        let object = StoredObject(
            digest: digest,
            kind: kind,
            size: size,
            landedAt: use.landedAt,
            usedAt: max(use.usedAt, inherited.usedAt ?? use.usedAt)
        )
        guard !inherited.isPinned else {
            moves.append(RecencyMove(object: entry.object, from: entry.use, to: storage.touches.nextUse()))
            return
        }
        let effective = max(entry.use, use.use, inherited.use)
        visits.append(Visit(object: object, own: entry.use, effective: effective, usedAt: inherited.usedAt))
    }
}
