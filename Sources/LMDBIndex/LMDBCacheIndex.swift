import LMDB
package import Logging
package import MirrorCore
package import OCI

/// The index in LMDB: reads in place on any thread, writes by one thread.
///
/// 1. What was read is a whole record, or is absent: one that is damaged is logged and counts as absent.
/// 2. A change is in the order of the calls, and is durable when `commit` returns.
/// 3. A read that begins after `commit` returned sees it.
package final class LMDBCacheIndex: CacheIndex {
    package struct Options: Hashable, Sendable {
        /// The address space for the map, in bytes: the index never grows beyond it.
        package var mapSize: Int
        /// How many reads may run at one time: more than there are threads.
        package var maxReaders: UInt32
        /// How long a use of stored content may stay unwritten: a kill forgets as much.
        package var foldInterval: Duration

        package init(mapSize: Int, maxReaders: UInt32 = 512, foldInterval: Duration = .seconds(5)) {
            self.mapSize = mapSize
            self.maxReaders = maxReaders
            self.foldInterval = foldInterval
        }
    }

    let storage: IndexStorage
    let writer: IndexWriter
    let logger: Logger
    private let marker: OpeningMarker

    /// What the opening found.
    package let origin: IndexOrigin

    /// Opens the index in a directory, and makes both when they are missing.
    ///
    /// Blocks on the disk. The directory must be this process's own: see `DataDirectory`. Until ``ready()`` or
    /// ``close()`` the index is suspected of ending the process.
    package init(directory: String, options: Options, logger: Logger) throws(IndexOpeningError) {
        (storage, origin) = try openIndex(in: directory, options: options, logger: logger)
        writer = IndexWriter(to: storage, options: options, logger: logger)
        marker = OpeningMarker(in: directory)
        self.logger = logger
    }

    /// The process has come so far that whatever ends it now, it is not the opening of the index.
    package func ready() {
        marker.end()
    }

    /// Commits what is queued and ends the writer thread; later changes are dropped or fail.
    package func close() {
        writer.close()
        marker.end()
    }

    /// How much of the map is used, in bytes.
    package var usedBytes: Int { storage.environment.usage.usedBytes }

    package var revision: Int { storage.environment.lastTransaction }

    package func tag(_ tag: Tag, in repository: Repository) -> TagRecord? {
        record(in: storage.tables.tags, of: repository) { Key.tag(tag, $0) }
    }

    package func membership(of digest: Digest, as kind: ContentKind, in repository: Repository) -> Membership? {
        record(in: storage.tables.members, of: repository) { Key.member(digest, kind, $0) }
    }

    package func list(_ key: ListKey, in repository: Repository) -> ListRecord? {
        record(in: storage.tables.lists, of: repository) { Key.list(key, $0) }
    }

    package func blobSize(_ digest: Digest) -> Int? {
        let record: BlobRecord? = record(in: storage.tables.blobs, for: Key.content(digest))
        return record?.size
    }

    package func quotaRecords() -> [QuotaAccount: QuotaRecord] {
        var damaged = 0
        let records = read { transaction throws(LMDBError) in
            var records: [QuotaAccount: QuotaRecord] = [:]
            // There are as many as accounts in the settings, past and present.
            try transaction.walk(prefix: [UInt8]().span, in: storage.tables.ledger, limit: 1000) { key, record in
                if let account = Key.account(of: key), let record = QuotaRecord(record: record) {
                    records[account] = record
                } else {
                    damaged += 1
                }
                return true
            }
            return .found(records)
        }
        if damaged > 0 {
            logger.error(
                "Accounts of the quota ledger are damaged and count as absent",
                metadata: ["count": "\(damaged)"]
            )
        }
        return records ?? [:]
    }

    package func totals() -> StoredTotals {
        let totals: Totals? = record(in: storage.tables.meta, for: Key.totals)
        return (totals ?? Totals()).stored
    }

    package func withManifest<Result>(
        _ digest: Digest,
        _ body: (_ size: Int, _ bytes: Span<UInt8>?) -> Result
    ) -> Result? {
        let key = Key.content(digest)
        return read { transaction throws(LMDBError) in
            let found = try transaction.withValue(for: key.span, in: storage.tables.manifests) { record in
                guard let manifest = ManifestRecord.decode(record) else { return Lookup<Result>.damaged }
                guard let start = manifest.start else { return .found(body(manifest.size, nil)) }
                return .found(body(manifest.size, record.extracting(droppingFirst: start)))
            }
            return found ?? .absent
        }
    }

    package func claimedSize(of digest: Digest) -> Int? {
        let prefix = Key.content(digest)
        let claim = read { transaction throws(LMDBError) in
            var found = Lookup<ReferenceRecord>.absent
            try transaction.walk(prefix: prefix.span, in: storage.tables.references, limit: 1) { _, record in
                found = Lookup(ReferenceRecord(record: record))
                return false
            }
            return found
        }
        return claim?.size
    }

    package func touch(_ digest: Digest, as kind: ContentKind) {
        storage.touches.touch(ObjectKey(digest: digest, kind: kind))
    }

    package func claimedSize(of digest: Digest, in repository: Repository) -> Int? {
        let child = Key.content(digest)
        return read { transaction throws(LMDBError) in
            guard let number = try storage.number(of: repository, transaction) else { return .absent }
            for claim in try claims(on: child, transaction) {
                let key = Key.member(encoded: claim.parent, .manifest, number)
                let isMember = try transaction.withValue(for: key.span, in: storage.tables.members) { _ in true }
                if isMember ?? false { return .found(claim.size) }
            }
            return .absent
        }
    }

    /// The manifests that name a child, by their digests as keys have them, and the sizes that they give; the first 64.
    private func claims(
        on child: [UInt8],
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> [(parent: [UInt8], size: Int)] {
        var claims: [(parent: [UInt8], size: Int)] = []
        try transaction.walk(prefix: child.span, in: storage.tables.references, limit: 64) { key, record in
            if let reference = ReferenceRecord(record: record) {
                let parent = key.extracting(droppingFirst: child.count)
                claims.append((parent.indices.map { parent[$0] }, reference.size))
            }
            return true
        }
        return claims
    }

    package func post(_ changes: [IndexChange]) {
        writer.post(changes)
    }

    package func commit(_ changes: [IndexChange]) async throws(IndexError) {
        try await writer.commit(changes)
    }

    /// The record of a repository that `key` makes of the repository's number.
    private func record<Value: Record>(
        in table: Table,
        of repository: Repository,
        _ key: (UInt32) -> [UInt8]
    ) -> Value? {
        read { transaction throws(LMDBError) in
            guard let number = try storage.number(of: repository, transaction) else { return .absent }
            return try Lookup(key(number), in: table, transaction)
        }
    }

    private func record<Value: Record>(in table: Table, for key: [UInt8]) -> Value? {
        read { transaction throws(LMDBError) in try Lookup(key, in: table, transaction) }
    }

    /// Reads, and logs what could not be read, after the transaction has ended.
    private func read<Value>(
        _ body: (borrowing ReadTransaction) throws(LMDBError) -> Lookup<Value>
    ) -> Value? {
        do throws(LMDBError) {
            switch try storage.environment.read(body) {
            case .found(let value): return value
            case .absent: return nil
            case .damaged: logger.error("Index record is damaged and counts as absent")
            }
        } catch {
            logger.error("Index cannot be read", metadata: ["error": "\(error)"])
        }
        return nil
    }
}

/// What a table has under a key.
private enum Lookup<Value> {
    case absent
    case damaged
    case found(Value)

    init(_ value: Value?) {
        self = value.map { .found($0) } ?? .damaged
    }
}

extension Lookup where Value: Record {
    fileprivate init(
        _ key: [UInt8],
        in table: Table,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) {
        self = try transaction.withValue(for: key.span, in: table) { Lookup(Value(record: $0)) } ?? .absent
    }
}
