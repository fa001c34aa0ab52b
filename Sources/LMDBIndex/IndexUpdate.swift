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
            try putBlob(digest, size, &transaction)
        case .list(let list, let repository, let record):
            let key = Key.list(list, try number(of: repository, &transaction))
            try transaction.put(record.record.span, for: key.span, in: tables.lists)
        case .quota(let account, let record):
            try putQuota(account, record, &transaction)
        case .lost(let digest, let kind):
            try remove(digest, kind, &transaction)
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
        if let number = newNumbers[repository] ?? storage.knownNumber(of: repository) { return number }
        let key = Key.repository(repository)
        let found = try transaction.withValue(for: key.span, in: tables.repositories) { RepositoryRecord(record: $0) }
        if let found, let record = found { return record.number }
        let record = RepositoryRecord(number: totals.repositories)
        totals.repositories += 1
        try transaction.put(record.record.span, for: key.span, in: tables.repositories)
        newNumbers[repository] = record.number
        return record.number
    }

    private mutating func putManifest(
        _ digest: Digest,
        _ bytes: [UInt8],
        _ references: [Descriptor],
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let key = Key.content(digest)
        let wasStored = try transaction.withValue(for: key.span, in: tables.manifests) { _ in true } ?? false
        try transaction.put(ManifestRecord.encode(bytes).span, for: key.span, in: tables.manifests)
        totals.replaceManifest(wasStored: wasStored, isStored: true)
        for reference in references where reference.size >= 0 {
            let record = ReferenceRecord(size: reference.size).record
            let key = Key.reference(to: reference.digest, from: digest)
            try transaction.put(record.span, for: key.span, in: tables.references)
        }
    }

    private mutating func putBlob(
        _ digest: Digest,
        _ size: Int,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let key = Key.content(digest)
        let oldSize = try blobSize(key, transaction)
        let record = BlobRecord(size: size, landedAt: now).record
        try transaction.put(record.span, for: key.span, in: tables.blobs)
        totals.replaceBlob(oldSize: oldSize, newSize: size)
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
    private mutating func remove(
        _ digest: Digest,
        _ kind: ContentKind,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let key = Key.content(digest)
        switch kind {
        case .manifest:
            let wasStored = try transaction.delete(key.span, in: tables.manifests)
            totals.replaceManifest(wasStored: wasStored, isStored: false)
        case .blob:
            let oldSize = try blobSize(key, transaction)
            try transaction.delete(key.span, in: tables.blobs)
            totals.replaceBlob(oldSize: oldSize, newSize: nil)
        }
    }

    /// The size that is counted for a blob: 0 for a record that cannot be read, `nil` where there is none.
    private func blobSize(_ key: [UInt8], _ transaction: borrowing WriteTransaction) throws(LMDBError) -> Int? {
        try transaction.withValue(for: key.span, in: tables.blobs) { BlobRecord(record: $0)?.size ?? 0 }
    }
}
