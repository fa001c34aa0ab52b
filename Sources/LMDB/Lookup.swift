import CLMDB

// What both kinds of transaction can do. The spans handed out are of the map, and end with the call.

@unsafe
func get<Value>(
    _ key: Span<UInt8>,
    _ table: Table,
    in transaction: OpaquePointer,
    _ body: (Span<UInt8>) throws(LMDBError) -> Value
) throws(LMDBError) -> Value? {
    var found = unsafe MDB_val()
    let status = unsafe key.withUnsafeBufferPointer { key in
        var key = unsafe MDB_val(borrowing: key)
        return unsafe mdb_get(transaction, table.id, &key, &found)
    }
    guard status != MDB_NOTFOUND else { return nil }
    try check(status, from: "mdb_get")
    return try unsafe body(found.bytes.span)
}

@unsafe
func walkEntries(
    prefix: Span<UInt8>,
    after previous: [UInt8],
    _ table: Table,
    limit: Int,
    in transaction: OpaquePointer,
    _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) throws(LMDBError) -> Bool
) throws(LMDBError) -> Bool {
    var opened: OpaquePointer?
    try unsafe check(mdb_cursor_open(transaction, table.id, &opened), from: "mdb_cursor_open")
    let cursor = unsafe opened
    defer { unsafe mdb_cursor_close(cursor) }
    var key = unsafe MDB_val()
    var value = unsafe MDB_val()
    let start = previous.isEmpty ? prefix : previous.span
    // An empty key cannot be looked for (MDB_BAD_VALSIZE): the whole table begins at its first entry.
    var status =
        start.isEmpty
        ? unsafe mdb_cursor_get(cursor, &key, &value, MDB_FIRST)
        : unsafe start.withUnsafeBufferPointer { start in
            unsafe key = unsafe MDB_val(borrowing: start)
            return unsafe mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
        }
    if !previous.isEmpty, status == MDB_SUCCESS, unsafe key.bytes.span.isEqual(to: previous.span) {
        status = unsafe mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
    }
    for _ in 0..<limit {
        guard status != MDB_NOTFOUND else { return true }
        try check(status, from: "mdb_cursor_get")
        guard unsafe key.bytes.span.hasPrefix(prefix) else { return true }
        guard try unsafe body(key.bytes.span, value.bytes.span) else { return false }
        status = unsafe mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
    }
    return false
}

@unsafe
func entryCount(of table: Table, in transaction: OpaquePointer) throws(LMDBError) -> Int {
    var statistics = MDB_stat()
    try unsafe check(mdb_stat(transaction, table.id, &statistics), from: "mdb_stat")
    return statistics.ms_entries
}

@unsafe
func lastKey(
    before bound: [UInt8],
    _ table: Table,
    in transaction: OpaquePointer
) throws(LMDBError) -> [UInt8]? {
    var opened: OpaquePointer?
    try unsafe check(mdb_cursor_open(transaction, table.id, &opened), from: "mdb_cursor_open")
    let cursor = unsafe opened
    defer { unsafe mdb_cursor_close(cursor) }
    var key = unsafe MDB_val()
    var value = unsafe MDB_val()
    let found = unsafe bound.withUnsafeBufferPointer { bound in
        unsafe key = unsafe MDB_val(borrowing: bound)
        return unsafe mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
    }
    if found != MDB_NOTFOUND { try check(found, from: "mdb_cursor_get") }
    let step = found == MDB_NOTFOUND ? MDB_LAST : MDB_PREV
    let status = unsafe mdb_cursor_get(cursor, &key, &value, step)
    guard status != MDB_NOTFOUND else { return nil }
    try check(status, from: "mdb_cursor_get")
    return unsafe Array(key.bytes)
}

extension MDB_val {
    @unsafe
    init(borrowing bytes: UnsafeBufferPointer<UInt8>) {
        unsafe self.init(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }

    @unsafe
    var bytes: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: mv_data?.assumingMemoryBound(to: UInt8.self), count: mv_size)
    }
}

extension Span<UInt8> {
    fileprivate func isEqual(to other: Span<UInt8>) -> Bool {
        count == other.count && hasPrefix(other)
    }

    fileprivate func hasPrefix(_ prefix: Span<UInt8>) -> Bool {
        guard prefix.count <= count else { return false }
        for index in prefix.indices where self[index] != prefix[index] { return false }
        return true
    }
}
