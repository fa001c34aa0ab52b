import LMDB
import MirrorCore
import OCI

/// Forgets what is known of content that is not stored.
///
/// A proof of membership saves a HEAD, a tag an outage, a list both: for a while. References of manifests that are not stored
/// serve nobody, and come back with the manifest.
struct Pruning {
    private let tables: Tables
    private let time: WallTime
    private let now: WallTime

    /// What is gone through, in this order: the first byte of a cursor.
    private enum Stage: UInt8 {
        case members, references, tags, lists

        var next: Stage? { Stage(rawValue: rawValue + 1) }
    }

    init(of tables: Tables, olderThan time: WallTime, at now: WallTime) {
        self.tables = tables
        self.time = time
        self.now = now
    }

    @available(*, noasync, message: "waits for the disk")
    func page(after cursor: IndexCursor?, limit: Int, in environment: Environment) throws(LMDBError) -> PrunedPage {
        let stage = cursor?.bytes.first.flatMap(Stage.init) ?? .members
        let previous = Array(cursor?.bytes.dropFirst() ?? [])
        return try environment.write { transaction throws(LMDBError) in
            let found = try entries(of: stage, after: previous, limit: limit, transaction)
            var removed = 0
            for entry in found.entries where try isUseless(entry, stage, transaction) {
                try transaction.delete(entry.key.span, in: table(of: stage))
                removed += 1
            }
            return PrunedPage(removed: removed, next: next(stage, found))
        }
    }

    private struct Entry: Sendable {
        var key: [UInt8]
        var value: [UInt8]
    }

    private typealias Found = (entries: [Entry], isComplete: Bool)

    private func next(_ stage: Stage, _ found: Found) -> IndexCursor? {
        if !found.isComplete, let last = found.entries.last { return IndexCursor([stage.rawValue] + last.key) }
        return stage.next.map { IndexCursor([$0.rawValue]) }
    }

    private func table(of stage: Stage) -> Table {
        switch stage {
        case .members: tables.members
        case .references: tables.references
        case .tags: tables.tags
        case .lists: tables.lists
        }
    }

    private func entries(
        of stage: Stage,
        after previous: [UInt8],
        limit: Int,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Found {
        var entries: [Entry] = []
        let everything: [UInt8] = []
        let isComplete = try transaction.walk(
            prefix: everything.span,
            after: previous,
            in: table(of: stage),
            limit: limit
        ) { key, value in
            // Of a list only the head is looked at.
            let head = value.extracting(first: min(value.count, stage == .lists ? 9 : value.count))
            entries.append(Entry(key: [UInt8](copying: key), value: [UInt8](copying: head)))
            return true
        }
        return (entries, isComplete)
    }

    /// An entry that cannot be read is useless too.
    private func isUseless(
        _ entry: Entry,
        _ stage: Stage,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        switch stage {
        case .members:
            guard let record = Membership(record: entry.value.span) else { return true }
            var reader = KeyReader(droppingFirst: 4)
            guard let kind = reader.kind(in: entry.key.span), let digest = reader.digest(in: entry.key.span) else {
                return true
            }
            guard isOld(record.provedAt) else { return false }
            return try !isStored(digest, kind, transaction)
        case .references:
            var reader = KeyReader()
            guard reader.digest(in: entry.key.span) != nil, let parent = reader.digest(in: entry.key.span) else {
                return true
            }
            return try !isStored(parent, .manifest, transaction)
        case .tags:
            guard let record = TagRecord(record: entry.value.span) else { return true }
            // `&&` would lose the type of what is thrown.
            guard isOld(record.checkedAt), try !isHeld(record, transaction) else { return false }
            return try !isPinned(entry.key, transaction)
        case .lists:
            guard let record = ListRecord(record: entry.value.span) else { return true }
            return isOld(record.checkedAt)
        }
    }

    /// A time from the future counts as expired.
    private func isOld(_ recorded: WallTime) -> Bool {
        recorded < time || recorded > now
    }

    private func isStored(
        _ digest: Digest,
        _ kind: ContentKind,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        let key = Key.content(digest)
        return try transaction.withValue(for: key.span, in: tables.stored(kind)) { _ in true } ?? false
    }

    private func isHeld(_ tag: TagRecord, _ transaction: borrowing WriteTransaction) throws(LMDBError) -> Bool {
        if try isStored(tag.digest, .manifest, transaction) { return true }
        guard let held = tag.held else { return false }
        return try isStored(held.digest, .manifest, transaction)
    }

    private func isPinned(_ tagKey: [UInt8], _ transaction: borrowing WriteTransaction) throws(LMDBError) -> Bool {
        // A repository's number takes four bytes; in a pin's key a zero follows where it is a tag.
        let key = tagKey.prefix(4) + [0] + tagKey.dropFirst(4)
        return try transaction.withValue(for: Array(key).span, in: tables.pins) { _ in true } ?? false
    }
}
