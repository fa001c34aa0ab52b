import LMDB
import MirrorCore
import OCI

/// Finds out what an object inherits from the manifests and indexes above it, in one snapshot.
///
/// It goes from child to parent, breadth first, a few levels and a bounded number of steps: an image's layer has the manifests
/// that share it as parents, and above each an index or two.
struct Closure {
    private let storage: IndexStorage
    private let pinned: Set<Digest>
    /// Every record read, for the tests of what eviction costs.
    private(set) var recordsRead = 0

    /// Index, manifest, layer are two steps; an index may be in an index.
    private static let mostLevels = 4
    /// The most ancestors that are looked at for one object.
    static let mostAncestors = 256

    /// What is inherited.
    struct Inheritance {
        /// The most recent use of all that is above, and when it was.
        var use: Use = 0
        var usedAt: WallTime?
        var isPinned = false
    }

    init(of storage: IndexStorage, _ transaction: borrowing ReadTransaction) throws(LMDBError) {
        self.storage = storage
        pinned = try Self.pinnedDigests(storage.tables, transaction)
    }

    mutating func inheritance(
        of digest: Digest,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> Inheritance {
        var found = Inheritance(isPinned: pinned.contains(digest))
        var seen: Set = [digest]
        var level = [digest]
        for _ in 0..<Self.mostLevels where !level.isEmpty && !found.isPinned {
            var above: [Digest] = []
            for child in level {
                for parent in try parents(of: child, limit: Self.mostAncestors - seen.count + 1, transaction)
                where seen.insert(parent).inserted {
                    above.append(parent)
                    if pinned.contains(parent) { found.isPinned = true }
                    try consider(parent, &found, transaction)
                }
            }
            level = above
        }
        // Not all were looked at: what is so widely used is kept rather than a pin broken.
        if seen.count > Self.mostAncestors, !pinned.isEmpty { found.isPinned = true }
        return found
    }

    /// The use of a stored object, with what was not written yet.
    mutating func use(
        of object: ObjectKey,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> UseRecord? {
        recordsRead += 1
        let key = object.use
        let stored = try transaction.withValue(for: key.span, in: storage.tables.uses) { UseRecord(record: $0) }
        guard let stored, var record = stored else { return nil }
        if let pending = storage.touches.pendingUse(of: object) { record.use = max(record.use, pending) }
        return record
    }

    /// A manifest that is not stored passes on what is above it, and nothing of its own.
    private mutating func consider(
        _ parent: Digest,
        _ found: inout Inheritance,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) {
        let record = try use(of: ObjectKey(digest: parent, kind: .manifest), transaction)
        guard let record, record.use > found.use else { return }
        found.use = record.use
        found.usedAt = record.usedAt
    }

    private mutating func parents(
        of child: Digest,
        limit: Int,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> [Digest] {
        guard limit > 0 else { return [] }
        var parents: [Digest] = []
        let prefix = Key.content(child)
        try transaction.walk(prefix: prefix.span, in: storage.tables.references, limit: limit) { key, _ in
            var reader = KeyReader(droppingFirst: prefix.count)
            if let parent = reader.digest(in: key) { parents.append(parent) }
            return true
        }
        recordsRead += parents.count
        return parents
    }

    /// What the pins stand for: a tag for its manifest, and for the one that is served where that is not held.
    private static func pinnedDigests(
        _ tables: Tables,
        _ transaction: borrowing ReadTransaction
    ) throws(LMDBError) -> Set<Digest> {
        var digests: Set<Digest> = []
        var tagKeys: [[UInt8]] = []
        let everything: [UInt8] = []
        try transaction.walk(prefix: everything.span, in: tables.pins, limit: .max) { key, _ in
            switch Reference(pinKey: key) {
            case .digest(let digest): digests.insert(digest)
            // The repository's number, then the tag: as in the table of tags.
            case .tag(let tag): tagKeys.append([UInt8](copying: key.extracting(first: 4)) + Array(tag.text.utf8))
            case nil: break
            }
            return true
        }
        for key in tagKeys {
            let found = try transaction.withValue(for: key.span, in: tables.tags) { TagRecord(record: $0) }
            guard let found, let record = found else { continue }
            digests.insert(record.digest)
            if let held = record.held { digests.insert(held.digest) }
        }
        return digests
    }
}
