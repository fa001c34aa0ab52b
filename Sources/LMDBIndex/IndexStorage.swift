import LMDB
import Locking
import MirrorCore

/// The open environment, its tables, and the numbers of the repositories: what readers and the writer share.
final class IndexStorage: Sendable {
    let environment: Environment
    let tables: Tables
    private let numbers = Locked<[Repository: UInt32]>([:])

    /// A repository seldom asked for is looked up again; this many take a few megabytes.
    private static let mostNumbersKept = 16_384

    /// Opens the index in an existing directory, or makes one.
    init(directory: String, options: LMDBCacheIndex.Options) throws(IndexOpeningError) {
        let schema: UInt32?
        do throws(LMDBError) {
            environment = try Environment(
                directory: directory,
                mapSize: options.mapSize,
                maxTables: Tables.maximum,
                maxReaders: options.maxReaders
            )
            (tables, schema) = try environment.write { transaction throws(LMDBError) in
                try Self.openTables(in: &transaction)
            }
        } catch {
            throw .lmdb(error)
        }
        guard schema == schemaVersion else { throw .schema(schema) }
    }

    /// The tables, and the schema they were made by: `nil` when they are not ours.
    private static func openTables(
        in transaction: inout WriteTransaction
    ) throws(LMDBError) -> (tables: Tables, schema: UInt32?) {
        let key = Key.schema
        let isNew = try transaction.isEnvironmentEmpty()
        let tables = try Tables(in: &transaction)
        if isNew {
            var writer = RecordWriter()
            writer.append(schemaVersion)
            try transaction.put(writer.bytes.span, for: key.span, in: tables.meta)
        }
        let schema = try transaction.withValue(for: key.span, in: tables.meta) { record -> UInt32? in
            guard var reader = RecordReader(record) else { return nil }
            return reader.integer(UInt32.self, in: record)
        }
        return (tables, schema ?? nil)
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
