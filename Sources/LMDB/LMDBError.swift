import CLMDB

/// A failure reported by LMDB.
package struct LMDBError: Error, Hashable {
    /// What went wrong, in terms a caller may act on.
    package enum Code: Hashable, Sendable {
        /// The memory map is full; raise the map size.
        case mapFull
        /// One transaction changes too many pages; do less in it.
        case transactionFull
        /// Every reader slot is taken; raise the number of readers.
        case readersFull
        /// The file is damaged, or is not an LMDB file of this version.
        case corrupted
        /// A key is empty or longer than ``Environment/maximumKeyLength``.
        case keyLength
        /// Any other return code; above zero it is an `errno`.
        case other(Int32)
    }

    package var code: Code
    /// The C function that failed.
    package var call: String
    /// LMDB's own words for the return code.
    package var message: String

    init(_ status: Int32, from call: StaticString) {
        self.code =
            switch status {
            case MDB_MAP_FULL: .mapFull
            case MDB_TXN_FULL: .transactionFull
            case MDB_READERS_FULL: .readersFull
            case MDB_CORRUPTED, MDB_INVALID, MDB_PAGE_NOTFOUND, MDB_VERSION_MISMATCH, MDB_INCOMPATIBLE: .corrupted
            case MDB_BAD_VALSIZE: .keyLength
            default: .other(status)
            }
        self.call = call.description
        self.message = unsafe String(cString: mdb_strerror(status))
    }

    /// What LMDB would say if a transaction were to use up the last pages.
    package static var mapFull: Self { Self(MDB_MAP_FULL, from: "mdb_put") }

    /// What we found ourselves, without LMDB's help.
    init(damaged file: StaticString, _ message: String) {
        self.code = .corrupted
        self.call = file.description
        self.message = message
    }
}

extension LMDBError: CustomStringConvertible {
    package var description: String { "\(call): \(message)" }
}

func check(_ status: Int32, from call: StaticString) throws(LMDBError) {
    guard status == MDB_SUCCESS else { throw LMDBError(status, from: call) }
}
