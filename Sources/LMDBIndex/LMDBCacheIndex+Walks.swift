import LMDB
import Logging
package import MirrorCore
package import OCI

/// Walks through what is known, a page a transaction.
extension LMDBCacheIndex: CacheInventory {
    package func storedObject(_ digest: Digest, _ kind: ContentKind) -> StoredObject? {
        snapshot(nil) { transaction throws(LMDBError) in
            let key = Key.content(digest)
            let table = storage.tables.stored(kind)
            let size = try transaction.withValue(for: key.span, in: table) { kind.size(inRecord: $0) } ?? nil
            guard let size else { return nil }
            return try object(ObjectKey(digest: digest, kind: kind), size, transaction)
        }
    }

    package func storedObjects(
        of kind: ContentKind,
        after cursor: IndexCursor?,
        limit: Int
    ) -> IndexPage<StoredObject> {
        let table = storage.tables.stored(kind)
        let found = page([], of: table, after: cursor, limit) { key, record -> (key: ObjectKey, size: Int)? in
            var reader = KeyReader()
            guard let digest = reader.digest(in: key), let size = kind.size(inRecord: record) else { return nil }
            return (ObjectKey(digest: digest, kind: kind), size)
        }
        let objects: [StoredObject] = snapshot([]) { transaction throws(LMDBError) in
            var objects: [StoredObject] = []
            for (key, size) in found.elements { objects.append(try object(key, size, transaction)) }
            return objects
        }
        return IndexPage(elements: objects, next: found.next)
    }

    package func repositories(after cursor: IndexCursor?, limit: Int) -> IndexPage<Repository> {
        page([], of: storage.tables.repositories, after: cursor, limit) { key, _ in Repository(key: key) }
    }

    package func tags(of repository: Repository, after cursor: IndexCursor?, limit: Int) -> IndexPage<TagEntry> {
        page(of: repository, in: storage.tables.tags, after: cursor, limit) { key, value in
            guard let text = KeyReader(droppingFirst: 4).rest(of: key), let tag = try? Tag(text),
                let record = TagRecord(record: value)
            else { return nil }
            return TagEntry(tag: tag, record: record)
        }
    }

    package func members(of repository: Repository, after cursor: IndexCursor?, limit: Int) -> IndexPage<MemberEntry> {
        page(of: repository, in: storage.tables.members, after: cursor, limit) { key, value in
            var reader = KeyReader(droppingFirst: 4)
            guard let kind = reader.kind(in: key), let digest = reader.digest(in: key),
                let membership = Membership(record: value)
            else { return nil }
            return MemberEntry(digest: digest, kind: kind, membership: membership)
        }
    }

    package func parents(of digest: Digest, after cursor: IndexCursor?, limit: Int) -> IndexPage<Digest> {
        let prefix = Key.content(digest)
        return page(prefix, of: storage.tables.references, after: cursor, limit) { key, _ in
            var reader = KeyReader(droppingFirst: prefix.count)
            return reader.digest(in: key)
        }
    }

    package func pins(after cursor: IndexCursor?, limit: Int) -> IndexPage<Pin> {
        page([], of: storage.tables.pins, after: cursor, limit) { key, value in
            guard let reference = Reference(pinKey: key), let record = PinRecord(record: value) else { return nil }
            return Pin(repository: record.repository, reference: reference, since: record.since)
        }
    }

    package func bookmark(_ bookmark: Bookmark) -> [UInt8]? {
        snapshot(nil) { transaction throws(LMDBError) in
            let key = Key.bookmark(bookmark)
            return try transaction.withValue(for: key.span, in: storage.tables.meta) { [UInt8](copying: $0) }
        }
    }

    /// What is known of an object's times: one that has no use was never counted, and is as old as can be.
    private func object(
        _ key: ObjectKey,
        _ size: Int,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> StoredObject {
        let useKey = key.use
        let found = try transaction.withValue(for: useKey.span, in: storage.tables.uses) { UseRecord(record: $0) }
        let use = (found ?? nil) ?? UseRecord(use: 0, landedAt: .init(milliseconds: 0), usedAt: .init(milliseconds: 0))
        return StoredObject(
            digest: key.digest,
            kind: key.kind,
            size: size,
            landedAt: use.landedAt,
            usedAt: use.usedAt
        )
    }

    /// A page of a repository's entries.
    private func page<Element: Sendable>(
        of repository: Repository,
        in table: Table,
        after cursor: IndexCursor?,
        _ limit: Int,
        _ decode: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Element?
    ) -> IndexPage<Element> {
        let number = snapshot(nil) { transaction throws(LMDBError) in try storage.number(of: repository, transaction) }
        guard let number else { return IndexPage(elements: [], next: nil) }
        return page(Key.numbered(number), of: table, after: cursor, limit, decode)
    }

    /// A page of the entries under a prefix; those that cannot be read are left out.
    private func page<Element: Sendable>(
        _ prefix: [UInt8],
        of table: Table,
        after cursor: IndexCursor?,
        _ limit: Int,
        _ decode: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Element?
    ) -> IndexPage<Element> {
        snapshot(IndexPage(elements: [], next: nil)) { transaction throws(LMDBError) in
            var page = IndexPage<Element>(elements: [], next: nil)
            var last: [UInt8]?
            let isComplete = try transaction.walk(
                prefix: prefix.span,
                after: cursor?.bytes ?? [],
                in: table,
                limit: Self.entries(limit)
            ) { key, value in
                if let element = decode(key, value) { page.elements.append(element) }
                last = [UInt8](copying: key)
                return true
            }
            if !isComplete { page.next = last.map { IndexCursor($0) } }
            return page
        }
    }

    /// Reads; where that fails it is logged, and `absent` is the answer.
    private func snapshot<Value>(
        _ absent: Value,
        _ body: (borrowing ReadTransaction) throws(LMDBError) -> Value
    ) -> Value {
        do throws(LMDBError) {
            return try storage.environment.read(body)
        } catch {
            logger.error("Index cannot be read", metadata: ["error": "\(error)"])
            return absent
        }
    }
}
