import LMDB

/// The version of the tables and their keys.
///
/// An index with another one is set aside, not migrated: it is a cache of what the files and the upstreams know.
let schemaVersion: UInt32 = 1

/// The tables, opened once.
struct Tables: Sendable {
    /// (upstream, name) → ``RepositoryRecord``.
    var repositories: Table
    /// repository, tag → `TagRecord`.
    var tags: Table
    /// digest → ``ManifestRecord``.
    var manifests: Table
    /// digest → ``BlobRecord``.
    var blobs: Table
    /// repository, kind, digest → `Membership`.
    var members: Table
    /// child digest, parent digest → ``ReferenceRecord``.
    var references: Table
    /// repository, list → `ListRecord`.
    var lists: Table
    /// upstream, account → `QuotaRecord`.
    var ledger: Table
    /// name → schema version, ``Totals``.
    var meta: Table

    /// Room for what is to come: recency, pins.
    ///
    /// An index made before a table was thought of gets it when it is opened.
    static let maximum: UInt32 = 16

    init(in transaction: inout WriteTransaction) throws(LMDBError) {
        repositories = try transaction.table(named: "repositories")
        tags = try transaction.table(named: "tags")
        manifests = try transaction.table(named: "manifests")
        blobs = try transaction.table(named: "blobs")
        members = try transaction.table(named: "members")
        references = try transaction.table(named: "references")
        lists = try transaction.table(named: "lists")
        ledger = try transaction.table(named: "ledger")
        meta = try transaction.table(named: "meta")
    }
}
