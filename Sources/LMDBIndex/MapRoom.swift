import LMDB
import MirrorCore

/// How much of the map may be filled.
///
/// LMDB needs free pages even to remove something: a transaction writes copies of the pages that it changes. So content that
/// grows the index is refused while there is still room to evict, and is taken again when eviction has made room. What
/// is refused is tried again by nobody here.
struct MapRoom: Sendable {
    private static let pageSize = 4096
    /// What one change adds to the tables, about, with the room that pages leave.
    private static let bytesPerChange = 512
    private static let bytesPerReference = 160
    /// Pages that one change copies, about: its leaf in a few tables, and its share of what is above.
    private static let copiesPerChange = 4

    private let mapSize: Int
    /// Kept for removals, in bytes: a megabyte, in a tiny map (of tests) less.
    private let reserve: Int

    init(mapSize: Int) {
        self.mapSize = mapSize
        reserve = min(1 << 20, mapSize / 4)
    }

    /// Whether a transaction of these changes leaves the reserve alone, by an estimate of what it takes.
    func admits(_ changes: [IndexChange], _ environment: Environment) throws(LMDBError) -> Bool {
        let used = environment.usage.usedBytes
        // No page is copied twice.
        let copies = min(changes.count * Self.copiesPerChange * Self.pageSize, used)
        let bytes = changes.reduce(copies) { $0 + Self.bytesPerChange + Self.payload(of: $1) }
        let untouched = mapSize - used
        if untouched - reserve >= bytes { return true }
        // Only now is it worth the walk: free pages are in a table with an entry for each transaction that freed some.
        let free = try environment.read { transaction throws(LMDBError) in try transaction.freePageCount() }
        return untouched + free * Self.pageSize - reserve >= bytes
    }

    private static func payload(of change: IndexChange) -> Int {
        switch change {
        case .manifest(_, let bytes, let references):
            (bytes.count <= ManifestRecord.largestKept ? bytes.count : 0) + references.count * bytesPerReference
        case .list(_, _, let record): record.bytes.count
        case .tag, .membership, .blob, .quota, .lost, .evicted, .tagRemoved, .membershipRemoved, .pinned, .unpinned,
            .bookmark, .rebuilt:
            0
        }
    }
}

extension IndexChange {
    /// Whether it only takes away: it is made even when the map counts as full, and is whole by itself.
    var isRemoval: Bool {
        switch self {
        case .lost, .evicted, .tagRemoved, .membershipRemoved, .unpinned, .rebuilt: true
        case .tag, .membership, .manifest, .blob, .list, .quota, .pinned, .bookmark: false
        }
    }
}
