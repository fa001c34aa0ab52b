import CLMDB

/// An open LMDB environment: one memory-mapped file with named tables in it; usable from all threads.
///
/// A process must open a given directory once; LMDB's locks are per process. The file is created sparse and grows with its
/// content, up to the map size, which is address space and not memory.
@safe
package final class Environment: Sendable {
    /// The longest key, in bytes, that LMDB is usually built for (`mdb_env_get_maxkeysize`).
    package static let maximumKeyLength = 511

    /// LMDB documents the environment handle as safe to share between threads;
    /// transactions are not, so they never leave ``read(_:)`` and ``write(_:)``.
    private nonisolated(unsafe) let handle: OpaquePointer

    /// Opens the environment in a directory, which must exist, and makes one when there is none.
    ///
    /// `maxReaders` bounds the read transactions that run at one time.
    package init(directory: String, mapSize: Int, maxTables: UInt32, maxReaders: UInt32) throws(LMDBError) {
        var handle: OpaquePointer?
        try unsafe check(mdb_env_create(&handle), from: "mdb_env_create")
        // From here on `deinit` does not run if we throw, so close by hand.
        do throws(LMDBError) {
            try unsafe check(mdb_env_set_mapsize(handle, mapSize), from: "mdb_env_set_mapsize")
            try unsafe check(mdb_env_set_maxdbs(handle, maxTables), from: "mdb_env_set_maxdbs")
            try unsafe check(mdb_env_set_maxreaders(handle, maxReaders), from: "mdb_env_set_maxreaders")
            // NOTLS: a reader slot belongs to its transaction, not to the thread, so that a thread may have two.
            // NORDAHEAD: lookups are random, and the map may be larger than memory.
            let flags = UInt32(MDB_NOTLS | MDB_NORDAHEAD)
            try unsafe check(mdb_env_open(handle, directory, flags, 0o600), from: "mdb_env_open")
            // Slots of a process that died would pin old pages for ever.
            var dead: Int32 = 0
            try unsafe check(mdb_reader_check(handle, &dead), from: "mdb_reader_check")
        } catch {
            unsafe mdb_env_close(handle)
            throw error
        }
        guard let handle = unsafe handle else { preconditionFailure("mdb_env_create succeeded without a handle") }
        unsafe self.handle = handle
    }

    deinit {
        unsafe mdb_env_close(handle)
    }

    /// Runs `body` against one consistent snapshot, on any thread.
    ///
    /// The snapshot pins pages for as long as `body` runs: keep it short. It touches memory only, unless a page is cold.
    package func read<Value: ~Copyable>(
        _ body: (borrowing ReadTransaction) throws(LMDBError) -> Value
    ) throws(LMDBError) -> Value {
        let transaction = try unsafe ReadTransaction(in: handle)
        return try body(transaction)
    }

    /// Runs `body` in the one write transaction, and commits durably if it returns.
    ///
    /// A `write` inside a `write` waits for itself for ever.
    @available(*, noasync, message: "LMDB blocks on the writer lock and on fsync; call it on an index thread")
    package func write<Value: ~Copyable>(
        _ body: (inout WriteTransaction) throws(LMDBError) -> Value
    ) throws(LMDBError) -> Value {
        var transaction = try unsafe WriteTransaction(in: handle)
        let value = try body(&transaction)
        try transaction.commit()
        return value
    }

    /// The number of the last transaction that was committed: while it stays, every snapshot is the same.
    package var lastTransaction: Int {
        var info = unsafe MDB_envinfo()
        unsafe mdb_env_info(handle, &info)
        return unsafe info.me_last_txnid
    }

    /// How large the map is and how much of it is used.
    package var usage: MapUsage {
        var info = unsafe MDB_envinfo()
        var statistics = MDB_stat()
        unsafe mdb_env_info(handle, &info)
        unsafe mdb_env_stat(handle, &statistics)
        return unsafe MapUsage(
            mapSize: info.me_mapsize,
            usedBytes: (info.me_last_pgno + 1) * Int(statistics.ms_psize),
            readers: Int(info.me_numreaders)
        )
    }
}

/// How large a map is, and how much of it was ever used.
package struct MapUsage: Hashable, Sendable {
    /// In bytes.
    package var mapSize: Int
    /// Up to the last page in use, free pages below it included; the file has at least this size.
    package var usedBytes: Int
    /// Reader slots that were ever taken at once.
    package var readers: Int
}

/// The LMDB library that the process runs with.
package enum LMDBVersion {
    /// As it says it: `LMDB 0.9.24: (July 24, 2019)`.
    package static var text: String {
        unsafe String(cString: mdb_version(nil, nil, nil))
    }
}
