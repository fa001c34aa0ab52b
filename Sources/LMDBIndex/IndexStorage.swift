import LMDB
import Locking
import MirrorCore

/// The open environment, its tables, and the numbers of the repositories: what readers and the writer share.
final class IndexStorage: Sendable {
    let environment: Environment
    let tables: Tables
    /// Uses of what is stored, on their way into the tables.
    let touches: Touches
    /// Whether the environment was empty: nothing is known of what the store holds.
    let isNew: Bool
    private let numbers = Locked<[Repository: UInt32]>([:])

    /// A repository seldom asked for is looked up again; this many take a few megabytes.
    private static let mostNumbersKept = 16_384

    /// Opens the index in an existing directory, or makes one.
    init(directory: String, options: LMDBCacheIndex.Options) throws(IndexOpeningError) {
        let opened: Opened
        do throws(LMDBError) {
            environment = try Environment(
                directory: directory,
                mapSize: options.mapSize,
                maxTables: Tables.maximum,
                maxReaders: options.maxReaders
            )
            opened = try environment.write { transaction throws(LMDBError) in
                try Self.openTables(in: &transaction)
            }
        } catch {
            throw .lmdb(error)
        }
        tables = opened.tables
        isNew = opened.isNew
        touches = Touches(after: opened.lastUse)
        guard opened.schema == schemaVersion else { throw .schema(opened.schema) }
    }

    private struct Opened: Sendable {
        var tables: Tables
        /// `nil` when the tables are not ours.
        var schema: UInt32?
        var isNew: Bool
        /// The most recent use of the tables.
        var lastUse: Use
    }

    private static func openTables(in transaction: inout WriteTransaction) throws(LMDBError) -> Opened {
        let key = Key.schema
        let isNew = try transaction.isEnvironmentEmpty()
        let tables = try Tables(in: &transaction)
        if isNew {
            var writer = RecordWriter()
            writer.append(schemaVersion)
            try transaction.put(writer.bytes.span, for: key.span, in: tables.meta)
            let (rebuild, pending) = (Key.rebuild, [recordVersion])
            try transaction.put(pending.span, for: rebuild.span, in: tables.meta)
        }
        let schema = try transaction.withValue(for: key.span, in: tables.meta) { record -> UInt32? in
            guard var reader = RecordReader(record) else { return nil }
            return reader.integer(UInt32.self, in: record)
        }
        let lastUse = try lastUse(in: tables, transaction)
        return Opened(tables: tables, schema: schema ?? nil, isNew: isNew, lastUse: lastUse)
    }

    private static func lastUse(in tables: Tables, _ transaction: borrowing WriteTransaction) throws(LMDBError) -> Use {
        var last: Use = 0
        for kind in ContentKind.allCases {
            let key = try transaction.lastKey(before: [kind.rawValue + 1], in: tables.recency)
            guard let key, key.first == kind.rawValue else { continue }
            var reader = KeyReader(droppingFirst: 1)
            last = max(last, reader.bigEndian(Use.self, in: key.span) ?? 0)
        }
        return last
    }

    /// A repository's number, if it has been given one.
    func number(of repository: Repository, _ transaction: borrowing ReadTransaction) throws(LMDBError) -> UInt32? {
        if let number = knownNumber(of: repository) { return number }
        let key = Key.repository(repository)
        let found = try transaction.withValue(for: key.span, in: tables.repositories) { RepositoryRecord(record: $0) }
        guard let found, let record = found else { return nil }
        remember([repository: record.number])
        return record.number
    }

    func knownNumber(of repository: Repository) -> UInt32? {
        numbers.withLock { $0[repository] }
    }

    /// Keeps numbers that are committed: they never change.
    func remember(_ committed: [Repository: UInt32]) {
        guard !committed.isEmpty else { return }
        numbers.withLock { numbers in
            if numbers.count + committed.count > Self.mostNumbersKept { numbers = [:] }
            numbers.merge(committed) { $1 }
        }
    }
}
