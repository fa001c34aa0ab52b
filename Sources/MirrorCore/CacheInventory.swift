package import OCI

/// The index as those see it who look after the cache: what was used when, what is pinned, and walks through all of it.
///
/// 1. *Recency* is an order, not a time: a counter that outlives the process gives each landing and each
///    ``CacheIndex/touch(_:as:)`` its place.
/// 2. *Closure*: content is as recent as the most recent of itself, the stored manifests that reference it, and the indexes
///    above those; it is pinned when any of these is. Only what was touched is written at a touch: the rest is found out when
///    eviction comes by, by going from child to parent. A blob of many repositories is one object.
/// 3. Each call reads at most 1,000 entries. Walks go on from the page's ``IndexCursor``, also after a restart, and see
///    what is there when they get to it.
///
/// What a manifest references is in its document, not here: the core parses the bytes (``CacheIndex/withManifest(_:_:)``, or
/// the store for a large one). ``parents(of:after:limit:)`` is the other direction.
package protocol CacheInventory: CacheIndex {
    /// The index is new, or took the place of a damaged one: what the store holds is to be recorded, and then
    /// ``IndexChange/rebuilt``; until that, every start says so again.
    var isRebuildPending: Bool { get }

    /// What to evict next, the least recently used first.
    ///
    /// Content that is pinned, or for which `isProtected` (open, in flight), is passed over and counts as used now; content
    /// whose closure was used later than itself is passed over and takes that place. So each is passed over once a
    /// use, and the cost is that of what is evicted, whatever else is stored. Begin without a cursor at each round. A
    /// page may be empty though there are more. `limit` bounds what is looked at, not what is found.
    func evictionCandidates(
        of kind: ContentKind,
        after cursor: IndexCursor?,
        limit: Int,
        protecting isProtected: (Digest) -> Bool
    ) async -> EvictionPage

    /// One stored object; `nil` when it is not stored.
    func storedObject(_ digest: Digest, _ kind: ContentKind) -> StoredObject?

    /// All that is stored, in the order of the digests.
    func storedObjects(of kind: ContentKind, after cursor: IndexCursor?, limit: Int) -> IndexPage<StoredObject>

    /// The repositories of which anything was ever known.
    func repositories(after cursor: IndexCursor?, limit: Int) -> IndexPage<Repository>

    func tags(of repository: Repository, after cursor: IndexCursor?, limit: Int) -> IndexPage<TagEntry>

    /// What a repository is known to have, stored or not.
    func members(of repository: Repository, after cursor: IndexCursor?, limit: Int) -> IndexPage<MemberEntry>

    /// The manifests that reference some content, stored or not.
    func parents(of digest: Digest, after cursor: IndexCursor?, limit: Int) -> IndexPage<Digest>

    /// Pins in the order of their repositories' first appearance.
    func pins(after cursor: IndexCursor?, limit: Int) -> IndexPage<Pin>

    /// Whether a pin protects this content, as itself or through what references it.
    func isPinned(_ digest: Digest) -> Bool

    /// Forgets a part of what is known of content that is not stored, and older than `time`.
    ///
    /// Proofs of membership, tags and lists by their time; references of manifests that are not stored at any age. Looks at
    /// `limit` entries; to be called now and then with the cursor of the last call, and from the beginning after its end.
    func prune(olderThan time: WallTime, after cursor: IndexCursor?, limit: Int) async throws(IndexError) -> PrunedPage

    /// Where some work is to go on: what the last ``IndexChange/bookmark(_:_:)`` said.
    func bookmark(_ bookmark: Bookmark) -> [UInt8]?

    /// Counts all that is stored again, and puts the totals right; nothing is committed meanwhile.
    func recount() async throws(IndexError) -> StoredTotals
}

extension CacheInventory {
    /// Whether this very reference is pinned; there are few pins, so they are looked through.
    func hasPin(_ reference: Reference, in repository: Repository) -> Bool {
        isAny(pins) { $0.repository == repository && $0.reference == reference }
    }

    /// Whether anything was ever known of a repository.
    func knows(_ repository: Repository) -> Bool {
        isAny(repositories) { $0 == repository }
    }

    private func isAny<Element>(
        _ page: (IndexCursor?, Int) -> IndexPage<Element>,
        _ isWanted: (Element) -> Bool
    ) -> Bool {
        var cursor: IndexCursor?
        repeat {
            let page = page(cursor, 1000)
            if page.elements.contains(where: isWanted) { return true }
            cursor = page.next
        } while cursor != nil
        return false
    }
}

/// Where a walk goes on.
///
/// Means something only to the walk that it came from; it may be kept, and sent, as bytes.
package struct IndexCursor: Hashable, Sendable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }
}

/// A part of a walk.
package struct IndexPage<Element: Sendable>: Sendable {
    package var elements: [Element]
    /// `nil` at the end.
    package var next: IndexCursor?

    package init(elements: [Element], next: IndexCursor?) {
        self.elements = elements
        self.next = next
    }
}

/// An object in the store: a digest may be two of them, a manifest and a blob.
package struct StoredObject: Hashable, Sendable {
    package var digest: Digest
    package var kind: ContentKind
    package var size: Int
    package var landedAt: WallTime
    /// About when it was last asked for itself: for people, not for any order.
    package var usedAt: WallTime

    package init(digest: Digest, kind: ContentKind, size: Int, landedAt: WallTime, usedAt: WallTime) {
        self.digest = digest
        self.kind = kind
        self.size = size
        self.landedAt = landedAt
        self.usedAt = usedAt
    }
}

package struct EvictionPage: Hashable, Sendable {
    /// The first to go comes first.
    package var candidates: [StoredObject]
    /// `nil` when the most recent has been looked at.
    package var next: IndexCursor?
    /// How many records were read for it, for the tests of what it costs.
    package var recordsRead: Int

    package init(candidates: [StoredObject], next: IndexCursor?, recordsRead: Int) {
        self.candidates = candidates
        self.next = next
        self.recordsRead = recordsRead
    }
}

package struct TagEntry: Hashable, Sendable {
    package var tag: Tag
    package var record: TagRecord

    package init(tag: Tag, record: TagRecord) {
        self.tag = tag
        self.record = record
    }
}

package struct MemberEntry: Hashable, Sendable {
    package var digest: Digest
    package var kind: ContentKind
    package var membership: Membership

    package init(digest: Digest, kind: ContentKind, membership: Membership) {
        self.digest = digest
        self.kind = kind
        self.membership = membership
    }
}

/// A reference that eviction keeps off.
package struct Pin: Hashable, Sendable {
    package var repository: Repository
    package var reference: Reference
    package var since: WallTime

    package init(repository: Repository, reference: Reference, since: WallTime) {
        self.repository = repository
        self.reference = reference
        self.since = since
    }
}

package struct PrunedPage: Hashable, Sendable {
    package var removed: Int
    package var next: IndexCursor?

    package init(removed: Int, next: IndexCursor?) {
        self.removed = removed
        self.next = next
    }
}
