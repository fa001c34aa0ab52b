import CLMDB

/// The write transaction: confined to the thread that began it.
///
/// Dropping it without a commit aborts it.
@safe
package struct WriteTransaction: ~Copyable {
    private let handle: OpaquePointer

    init(in environment: OpaquePointer) throws(LMDBError) {
        var handle: OpaquePointer?
        try unsafe check(mdb_txn_begin(environment, nil, 0, &handle), from: "mdb_txn_begin")
        guard let handle = unsafe handle else { preconditionFailure("mdb_txn_begin succeeded without a handle") }
        unsafe self.handle = handle
    }

    deinit {
        unsafe mdb_txn_abort(handle)
    }

    /// Opens a table, and makes it when there is none.
    ///
    /// Once for each name in the life of an environment, at its start: LMDB's table identifiers are not made for more.
    package mutating func table(named name: String) throws(LMDBError) -> Table {
        var table: MDB_dbi = 0
        try unsafe check(mdb_dbi_open(handle, name, UInt32(MDB_CREATE), &table), from: "mdb_dbi_open")
        return Table(id: table)
    }

    /// Whether the environment has no tables at all: it was just made.
    package borrowing func isEnvironmentEmpty() throws(LMDBError) -> Bool {
        var main: MDB_dbi = 0
        try unsafe check(mdb_dbi_open(handle, nil, 0, &main), from: "mdb_dbi_open")
        var statistics = MDB_stat()
        try unsafe check(mdb_stat(handle, main, &statistics), from: "mdb_stat")
        return statistics.ms_entries == 0
    }

    /// Stores a value, in place of an earlier one.
    package mutating func put(_ value: Span<UInt8>, for key: Span<UInt8>, in table: Table) throws(LMDBError) {
        let status = unsafe key.withUnsafeBufferPointer { key in
            unsafe value.withUnsafeBufferPointer { value in
                var key = unsafe MDB_val(borrowing: key)
                var value = unsafe MDB_val(borrowing: value)
                return unsafe mdb_put(handle, table.id, &key, &value, 0)
            }
        }
        try check(status, from: "mdb_put")
    }

    /// Removes an entry; returns whether there was one.
    @discardableResult
    package mutating func delete(_ key: Span<UInt8>, in table: Table) throws(LMDBError) -> Bool {
        let status = unsafe key.withUnsafeBufferPointer { key in
            var key = unsafe MDB_val(borrowing: key)
            return unsafe mdb_del(handle, table.id, &key, nil)
        }
        guard status != MDB_NOTFOUND else { return false }
        try check(status, from: "mdb_del")
        return true
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
    /// It begins after the key `previous`, which need not be there; without one, at the first. It ends when `body` returns
    /// `false`, and after `limit` entries, so that no walk holds a thread for long. Returns whether it came
    /// to the end of the prefix.
    @discardableResult
    package borrowing func walk(
        prefix: Span<UInt8>,
        after previous: [UInt8] = [],
        in table: Table,
        limit: Int,
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) throws(LMDBError) -> Bool
    ) throws(LMDBError) -> Bool {
        try unsafe walkEntries(prefix: prefix, after: previous, table, limit: limit, in: handle, body)
    }

    /// The last key that sorts before `bound`, which is not empty.
    package borrowing func lastKey(before bound: [UInt8], in table: Table) throws(LMDBError) -> [UInt8]? {
        try unsafe LMDB.lastKey(before: bound, table, in: handle)
    }

    /// How many entries a table has; costs no walk.
    package borrowing func count(of table: Table) throws(LMDBError) -> Int {
        try unsafe entryCount(of: table, in: handle)
    }

    consuming func commit() throws(LMDBError) {
        let handle = unsafe self.handle
        discard self  // LMDB frees the handle whether or not the commit succeeds.
        try unsafe check(mdb_txn_commit(handle), from: "mdb_txn_commit")
    }
}

/// A named table.
///
/// The identifier lives as long as its environment.
package struct Table: Sendable {
    let id: MDB_dbi
}
