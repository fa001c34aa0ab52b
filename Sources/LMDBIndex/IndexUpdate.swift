import LMDB
import MirrorCore
import OCI

/// Changes on their way into one write transaction.
///
/// Holds what the tables will say once it commits; dropped, it leaves no trace.
struct IndexUpdate {
    private let storage: IndexStorage
    private let now: WallTime
    private var totals: Totals
    private let initialTotals: Totals
    /// Repositories that this transaction gave a number.
    private(set) var newNumbers: [Repository: UInt32] = [:]

    private var tables: Tables { storage.tables }

    init(of storage: IndexStorage, at now: WallTime, in transaction: inout WriteTransaction) throws(LMDBError) {
        self.storage = storage
        self.now = now
        let key = Key.totals
        let found = try transaction.withValue(for: key.span, in: storage.tables.meta) { Totals(record: $0) }
        totals = (found ?? nil) ?? Totals()
        initialTotals = totals
    }

    mutating func apply(_ change: IndexChange, to transaction: inout WriteTransaction) throws(LMDBError) {
        switch change {
        case .tag(let tag, let repository, let record):
            let key = Key.tag(tag, try number(of: repository, &transaction))
            try transaction.put(record.record.span, for: key.span, in: tables.tags)
        case .membership(let digest, let kind, let repository, let membership):
            let key = Key.member(digest, kind, try number(of: repository, &transaction))
            try transaction.put(membership.record.span, for: key.span, in: tables.members)
        case .manifest(let digest, let bytes, let references):
            try putManifest(digest, bytes, references, &transaction)
        case .blob(let digest, let size):
            let record = BlobRecord(size: size, landedAt: now).record
            try land(ObjectKey(digest: digest, kind: .blob), record, size, &transaction)
        case .list(let list, let repository, let record):
            let key = Key.list(list, try number(of: repository, &transaction))
            try transaction.put(record.record.span, for: key.span, in: tables.lists)
        case .quota(let account, let record):
            try putQuota(account, record, &transaction)
        case .lost(let digest, let kind), .evicted(let digest, let kind):
            try remove(ObjectKey(digest: digest, kind: kind), &transaction)
        case .tagRemoved(let tag, let repository):
            try remove(from: tables.tags, of: repository, &transaction) { Key.tag(tag, $0) }
        case .membershipRemoved(let digest, let kind, let repository):
            try remove(from: tables.members, of: repository, &transaction) { Key.member(digest, kind, $0) }
        case .pinned(let reference, let repository, let since):
            let key = Key.pin(reference, try number(of: repository, &transaction))
            let record = PinRecord(repository: repository, since: since).record
            try transaction.put(record.span, for: key.span, in: tables.pins)
        case .unpinned(let reference, let repository):
            try remove(from: tables.pins, of: repository, &transaction) { Key.pin(reference, $0) }
        case .bookmark(let bookmark, let bytes):
            let key = Key.bookmark(bookmark)
            if let bytes {
                try transaction.put(bytes.span, for: key.span, in: tables.meta)
            } else {
                try transaction.delete(key.span, in: tables.meta)
            }
        case .rebuilt:
            let key = Key.rebuild
            try transaction.delete(key.span, in: tables.meta)
        }
    }

    /// Writes what is kept once for the whole transaction.
    func finish(_ transaction: inout WriteTransaction) throws(LMDBError) {
        guard totals != initialTotals else { return }
        let key = Key.totals
        try transaction.put(totals.record.span, for: key.span, in: tables.meta)
    }

    /// A repository's number, which it gets now if it has none.
    private mutating func number(
        of repository: Repository,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> UInt32 {
        if let number = try existingNumber(of: repository, transaction) { return number }
        let key = Key.repository(repository)
        let record = RepositoryRecord(number: totals.repositories)
        totals.repositories += 1
        try transaction.put(record.record.span, for: key.span, in: tables.repositories)
        newNumbers[repository] = record.number
        return record.number
    }

    private func existingNumber(
        of repository: Repository,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> UInt32? {
        if let number = newNumbers[repository] ?? storage.knownNumber(of: repository) { return number }
        let key = Key.repository(repository)
        let found = try transaction.withValue(for: key.span, in: tables.repositories) { RepositoryRecord(record: $0) }
        return (found ?? nil)?.number
    }

    /// Removes what `key` makes of the repository's number; a repository without one has nothing.
    private func remove(
        from table: Table,
        of repository: Repository,
        _ transaction: inout WriteTransaction,
        _ key: (UInt32) -> [UInt8]
    ) throws(LMDBError) {
        guard let number = try existingNumber(of: repository, transaction) else { return }
        let key = key(number)
        try transaction.delete(key.span, in: table)
    }

    private mutating func putManifest(
        _ digest: Digest,
        _ bytes: [UInt8],
        _ references: [Descriptor],
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let key = ObjectKey(digest: digest, kind: .manifest)
        try land(key, ManifestRecord.encode(bytes), bytes.count, &transaction)
        for reference in references where reference.size >= 0 {
            let record = ReferenceRecord(size: reference.size).record
            let key = Key.reference(to: reference.digest, from: digest)
            try transaction.put(record.span, for: key.span, in: tables.references)
        }
    }

    /// Records that an object is stored, as the most recent of all.
    private mutating func land(
        _ object: ObjectKey,
        _ record: [UInt8],
        _ size: Int,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let key = Key.content(object.digest)
        let table = tables.stored(object.kind)
        let oldSize = try countedSize(of: object, transaction)
        try transaction.put(record.span, for: key.span, in: table)
        totals.replace(object.kind, oldSize: oldSize, newSize: size)
        let use = UseRecord(use: storage.touches.nextUse(), landedAt: now, usedAt: now)
        try transaction.setUse(of: object, to: use, in: tables)
    }

    /// Writes an account's record, unless a later one is stored: two may come in the wrong order.
    private func putQuota(
        _ account: QuotaAccount,
        _ record: QuotaRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let key = Key.quota(account)
        let stored = try transaction.withValue(for: key.span, in: tables.ledger) { QuotaRecord(record: $0)?.revision }
        if let stored, let revision = stored, revision > record.revision { return }
        try transaction.put(record.record.span, for: key.span, in: tables.ledger)
    }

    /// Forgets that content is stored; who may have it and who references it stays known.
    private mutating func remove(_ object: ObjectKey, _ transaction: inout WriteTransaction) throws(LMDBError) {
        let key = Key.content(object.digest)
        let oldSize = try countedSize(of: object, transaction)
        try transaction.delete(key.span, in: tables.stored(object.kind))
        totals.replace(object.kind, oldSize: oldSize, newSize: nil)
        try transaction.removeUse(of: object, in: tables)
    }

    /// The size that is counted for an object: 0 for a record that cannot be read, `nil` where there is none.
    private func countedSize(
        of object: ObjectKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Int? {
        let key = Key.content(object.digest)
        return try transaction.withValue(for: key.span, in: tables.stored(object.kind)) { record in
            object.kind.size(inRecord: record) ?? 0
        }
    }
}
