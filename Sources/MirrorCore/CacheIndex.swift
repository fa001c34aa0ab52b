package import OCI

/// The record of what is stored and for whom it may be served.
///
/// `LMDBIndex` implements it. Reads are local and synchronous by contract: a read transaction on mapped memory, quick enough for an event loop. A
/// record that cannot be read is logged by the implementation and counts as absent. Writes are queued to one writer and
/// committed in batches, in the order of the calls.
package protocol CacheIndex: LedgerStore {
    /// Changes whenever something is committed: what was read stays true while it is the same.
    ///
    /// Costs nothing to speak of.
    var revision: Int { get }

    func tag(_ tag: Tag, in repository: Repository) -> TagRecord?

    /// The proof that a repository has content with this digest, as this kind.
    func membership(of digest: Digest, as kind: ContentKind, in repository: Repository) -> Membership?

    /// Calls `body` with a stored manifest, or returns `nil` when it is not stored.
    ///
    /// It gets the size, and the bytes in place when they are in the index: small ones are, larger ones are in the store only.
    func withManifest<Result>(_ digest: Digest, _ body: (_ size: Int, _ bytes: Span<UInt8>?) -> Result) -> Result?

    /// The size of a stored blob.
    func blobSize(_ digest: Digest) -> Int?

    /// The size that some stored manifest gives for a blob: for registries that do not tell it.
    func claimedSize(of digest: Digest) -> Int?

    /// The size that a manifest which the repository is proved to have gives for its child; `nil` when none names it.
    ///
    /// Looks at no more than 64 of the manifests that name the child.
    func claimedSize(of digest: Digest, in repository: Repository) -> Int?

    /// A kept tag list or list of referrers.
    func list(_ key: ListKey, in repository: Repository) -> ListRecord?

    /// Notes that stored content is being used: the most recent use of all, until the next.
    ///
    /// For every hit: it costs no more than a dictionary in memory, and is written in batches, so that a kill may take the last
    /// seconds with it. A manifest stands for all that it references (see ``CacheInventory``).
    func touch(_ digest: Digest, as kind: ContentKind)

    /// How many objects of a kind are stored, and their bytes.
    func totals() -> StoredTotals
}

/// Where the quota ledger is kept: the index, as far as the ledger knows it.
package protocol LedgerStore: Sendable {
    /// The accounts of the quota ledger; read once, at start.
    func quotaRecords() -> [QuotaAccount: QuotaRecord]

    /// Queues changes, without waiting for them.
    func post(_ changes: [IndexChange])

    /// Queues changes, and returns when they are durable.
    func commit(_ changes: [IndexChange]) async throws(IndexError)
}

/// What a tag was, when it was last checked.
package struct TagRecord: Hashable, Sendable {
    package var digest: Digest
    package var mediaType: String
    package var size: Int
    package var checkedAt: WallTime
    /// Upstream has said since that the tag is not there.
    package var isGone: Bool
    /// The last manifest of the tag that was held when it moved on: what can be served should the new one not be had.
    package var held: Held?

    package struct Held: Hashable, Sendable {
        package var digest: Digest
        package var checkedAt: WallTime

        package init(digest: Digest, checkedAt: WallTime) {
            self.digest = digest
            self.checkedAt = checkedAt
        }
    }

    package init(
        digest: Digest,
        mediaType: String,
        size: Int,
        checkedAt: WallTime,
        isGone: Bool = false,
        held: Held? = nil
    ) {
        self.digest = digest
        self.mediaType = mediaType
        self.size = size
        self.checkedAt = checkedAt
        self.isGone = isGone
        self.held = held
    }
}

/// The proof that a repository has some content.
package struct Membership: Hashable, Sendable {
    /// For a manifest, what to call it: the document's `mediaType`, else what this repository's upstream said.
    package var mediaType: String
    package var provedAt: WallTime

    package init(mediaType: String, provedAt: WallTime) {
        self.mediaType = mediaType
        self.provedAt = provedAt
    }
}

/// Which list of a repository.
package enum ListKey: Hashable, Sendable {
    case tags
    case referrers(Digest)
}

/// A list as it was last fetched: tags joined by newlines, or an image index document.
package struct ListRecord: Hashable, Sendable {
    package var bytes: [UInt8]
    package var checkedAt: WallTime

    package init(bytes: [UInt8], checkedAt: WallTime) {
        self.bytes = bytes
        self.checkedAt = checkedAt
    }
}

package struct StoredTotals: Hashable, Sendable {
    package var manifests: Int
    package var blobs: Int
    package var blobBytes: Int
    package var manifestBytes: Int

    package init(manifests: Int, blobs: Int, blobBytes: Int, manifestBytes: Int = 0) {
        self.manifests = manifests
        self.blobs = blobs
        self.blobBytes = blobBytes
        self.manifestBytes = manifestBytes
    }
}

/// One change of the index.
package enum IndexChange: Hashable, Sendable {
    case tag(Tag, in: Repository, TagRecord)
    case membership(Digest, ContentKind, in: Repository, Membership)
    /// A manifest that the store holds. The index keeps the bytes of small ones, and what it references.
    case manifest(Digest, bytes: [UInt8], references: [Descriptor])
    /// A blob that the store holds.
    case blob(Digest, size: Int)
    case list(ListKey, in: Repository, ListRecord)
    /// An account of the quota ledger.
    ///
    /// Left out when what is stored has a higher ``QuotaRecord/revision``: in whatever order two of them come, the later stays.
    case quota(QuotaAccount, QuotaRecord)
    /// The store no longer has it (missing, short or damaged): forget that it is stored, keep what is known of it.
    case lost(Digest, ContentKind)
    /// The store gives it up for room: as ``lost(_:_:)``. Before the file goes, so that no file is known that is not there.
    case evicted(Digest, ContentKind)
    case tagRemoved(Tag, in: Repository)
    case membershipRemoved(Digest, ContentKind, in: Repository)
    /// Keeps eviction off what a reference names, and off all that it references.
    case pinned(Reference, in: Repository, since: WallTime)
    case unpinned(Reference, in: Repository)
    /// Where some work on all that is stored goes on; `nil` forgets it.
    case bookmark(Bookmark, [UInt8]?)
    /// All that the store holds is recorded: the last of the changes that follow ``CacheInventory/isRebuildPending``.
    case rebuilt
}

/// A piece of work that goes on after a restart.
package enum Bookmark: String, Hashable, Sendable, CaseIterable {
    /// ``Scrubber``.
    case scrub
    /// ``CareTask/verify(_:)``.
    case verify
    /// What was found bad, and is to be fetched again: ``DamageList``.
    case damage
}

/// Why a change could not be made durable.
package enum IndexError: Error, Hashable, Sendable {
    /// The index has no room: the setting to raise is `cache.index_map_size`.
    case full
    case failed(String)
}
