/// Looks at an environment's data file before it is mapped.
///
/// A page that is missing at the end of a mapped file is no error but SIGBUS, so the size must be right beforehand. The
/// layout is that of LMDB 0.9 on 64-bit machines (`mdb.c`): the first two pages are meta pages, each a page header of 16
/// bytes (`MDB_page`; the flags at 10) and then `MDB_meta`: magic, version, address, map size, two `MDB_db` of 48 bytes (the
/// first one's `md_pad` is the page size, the last word of each its root page), the last page in use, the transaction.
package enum DataFile {
    /// How much of the beginning ``check(head:size:)`` wants: two pages of the largest size.
    package static let headLength = 2 * largestPage

    private static let largestPage = 1 << 16
    private static let magic = 0xBEEF_C0DE
    private static let version = 1

    /// Where the fields are, from the beginning of a meta page.
    private enum Offset {
        static let magicAndVersion = 16
        static let pageSize = 40
        static let freeRoot = 80
        static let mainRoot = 128
        static let lastPage = 136
        static let transaction = 144
    }

    /// What one meta page says.
    private struct Meta {
        var pageSize: Int
        var lastPage: Int
        var roots: [Int]
        var transaction: Int

        /// Fails for what is no meta page.
        init?(_ bytes: Span<UInt8>, at start: Int) {
            guard let word = bytes.littleEndianWord(at: start + Offset.magicAndVersion),
                word == DataFile.version << 32 | DataFile.magic,
                let sizeAndFlags = bytes.littleEndianWord(at: start + Offset.pageSize),
                let lastPage = bytes.littleEndianWord(at: start + Offset.lastPage),
                let freeRoot = bytes.littleEndianWord(at: start + Offset.freeRoot),
                let mainRoot = bytes.littleEndianWord(at: start + Offset.mainRoot),
                let transaction = bytes.littleEndianWord(at: start + Offset.transaction)
            else { return nil }
            pageSize = sizeAndFlags & 0xFFFF_FFFF
            self.lastPage = lastPage
            roots = [freeRoot, mainRoot]
            self.transaction = transaction
        }
    }

    /// Refuses a file that is shorter than its own pages, or whose meta pages cannot be.
    ///
    /// `head` is its beginning, `size` its size in bytes. An empty file is a new environment. LMDB writes all pages that a
    /// transaction has taken, so that a whole file is never short: 12 000 commits of random changes left none.
    package static func check(head: Span<UInt8>, size: Int) throws(LMDBError) {
        guard size > 0 else { return }
        guard let first = Meta(head, at: 0) else { throw LMDBError(damaged: "data.mdb", "the first meta page is none") }
        let pageSize = first.pageSize
        guard pageSize >= 512, pageSize <= largestPage, pageSize & (pageSize - 1) == 0 else {
            throw LMDBError(damaged: "data.mdb", "pages of \(pageSize) bytes cannot be")
        }
        guard let second = Meta(head, at: pageSize), second.pageSize == pageSize else {
            throw LMDBError(damaged: "data.mdb", "the second meta page is none")
        }
        // As LMDB chooses (mdb_env_pick_meta).
        let meta = first.transaction < second.transaction ? second : first
        guard meta.lastPage >= 1, meta.lastPage < size / pageSize else {
            throw LMDBError(damaged: "data.mdb", "its last page is \(meta.lastPage), and it has \(size / pageSize)")
        }
        // -1 is the root of an empty tree.
        for root in meta.roots where root != -1 && !(2...max(2, meta.lastPage)).contains(root) {
            throw LMDBError(damaged: "data.mdb", "page \(root) cannot be a root")
        }
    }
}

extension Span<UInt8> {
    /// Eight bytes as a number; `nil` where there are fewer.
    func littleEndianWord(at offset: Int) -> Int? {
        guard offset >= 0, offset + 8 <= count else { return nil }
        var word: UInt64 = 0
        for index in (0..<8).reversed() { word = word << 8 | UInt64(self[offset + index]) }
        return Int(truncatingIfNeeded: word)
    }
}
