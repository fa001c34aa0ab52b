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
    /// It begins after the key `previous`, which need not be there; without one, at the first. It ends when `body` returns
    /// `false`, and after `limit` entries, so that no walk holds a thread or the snapshot for long. Returns whether it came
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

    /// How many pages below the last used one are free.
    ///
    /// Those that the last transactions freed are among them, and can be used a transaction or a reader later.
    package borrowing func freePageCount() throws(LMDBError) -> Int {
        var count = 0
        // Table 0 is LMDB's own: transaction → the pages that it freed, their number before them (as mdb_stat reads it).
        let everything: [UInt8] = []
        try walk(prefix: everything.span, in: Table(id: 0), limit: .max) { _, pages in
            count += pages.littleEndianWord(at: 0) ?? 0
            return true
        }
        return count
    }
}
