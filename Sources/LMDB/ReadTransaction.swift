import CLMDB

/// A snapshot of the environment, valid while the closure that was given it runs.
@safe
package struct ReadTransaction: ~Copyable {
    private let handle: OpaquePointer

    init(in environment: OpaquePointer) throws(LMDBError) {
        var handle: OpaquePointer?
        try unsafe check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &handle), from: "mdb_txn_begin")
        guard let handle = unsafe handle else { preconditionFailure("mdb_txn_begin succeeded without a handle") }
        unsafe self.handle = handle
    }

    deinit {
        unsafe mdb_txn_abort(handle)
    }

    /// Calls `body` with the stored bytes in place, or returns `nil` if there are none.
    package borrowing func withValue<Value>(
        for key: Span<UInt8>,
        in table: Table,
        _ body: (Span<UInt8>) throws(LMDBError) -> Value
    ) throws(LMDBError) -> Value? {
        try unsafe get(key, table, in: handle, body)
    }

    /// Calls `body` with each key that begins with `prefix`, and its value, in the order of the keys.
    ///
    /// It ends when `body` returns `false`, and after `limit` entries, so that no walk holds a thread or the snapshot for
    /// long. Returns whether it came to the end of the prefix.
    @discardableResult
    package borrowing func walk(
        prefix: Span<UInt8>,
        in table: Table,
        limit: Int,
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) throws(LMDBError) -> Bool
    ) throws(LMDBError) -> Bool {
        try unsafe walkEntries(prefix: prefix, table, limit: limit, in: handle, body)
    }

    /// How many entries a table has; costs no walk.
    package borrowing func count(of table: Table) throws(LMDBError) -> Int {
        var statistics = MDB_stat()
        try unsafe check(mdb_stat(handle, table.id, &statistics), from: "mdb_stat")
        return statistics.ms_entries
    }
}
