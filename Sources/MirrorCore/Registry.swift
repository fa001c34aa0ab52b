package import OCI

/// What the registry edge asks of the core.
///
/// ``PullThrough`` implements it; tests of the edge script it. The `cached…` methods answer from local state alone, on the event loop. When they return `nil` the edge calls the
/// asynchronous one of the same name.
package protocol Registry: Sendable {
    /// Finds the upstream and repository that a request means (DESIGN 1.1).
    ///
    /// `path` is what stands where `<name>` does, as the client sent it; `prefix` the path before `/v2`, without slashes
    /// at its ends; `namespace` the `ns` query parameter.
    func resolve(path: String, prefix: String?, namespace: String?) throws(MirrorError) -> Repository

    /// Changes whenever something may have changed of what the `cached…` methods answer from, but for the time.
    var revision: Int { get }

    /// For how long a hit of ``cachedManifest(_:in:for:_:)`` stays what it is, while ``revision`` is the same.
    ///
    /// Zero when it is not worth keeping.
    func lifetime(of reference: Reference, in repository: Repository) -> Duration

    /// Calls `body` with a manifest that may be served without asking upstream.
    ///
    /// The content is absent when only the head is held (a tag that a HEAD resolved); good enough for HEAD requests.
    func cachedManifest<Result>(
        _ reference: Reference,
        in repository: Repository,
        for caller: Caller,
        _ body: (ManifestHead, borrowing CachedContent) -> Result
    ) -> Result?

    /// Resolves, fetches and stores as needed.
    ///
    /// With `headOnly` the content is not wanted, and nothing is fetched that costs quota.
    func manifest(
        _ reference: Reference,
        in repository: Repository,
        headOnly: Bool,
        for caller: Caller
    ) async throws(MirrorError) -> ManifestAnswer

    /// A stored blob that may be served for this repository.
    func cachedBlob(_ digest: Digest, in repository: Repository, for caller: Caller) -> (any StoredFile)?

    /// A blob that is being fetched, or the fetch that this call starts.
    func blob(_ digest: Digest, in repository: Repository, for caller: Caller) async throws(MirrorError) -> BlobAnswer

    /// The length of a blob that is not stored, without fetching it; `nil` where upstream does not tell.
    func blobLength(
        _ digest: Digest,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> BlobLength

    /// All tags, in ASCII order.
    func tags(in repository: Repository, for caller: Caller) async throws(MirrorError) -> TagsAnswer

    /// The referrers of a digest, as an image index document; never absent.
    func referrers(
        of digest: Digest,
        artifactType: String?,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> ReferrersDocument
}

/// How the cache came to its answer.
///
/// The `Cache-Status` header and the `cache` label of the metrics are made of it.
package enum CacheOutcome: Hashable, Sendable {
    case hit
    /// The upstream could not be asked, so what is held is served; why, and when it was last checked.
    case stale(reason: String, checkedAt: WallTime)
    /// Asked for and kept.
    case miss
    /// Asked for, and not kept for want of room.
    case passed
    /// Came with a fetch that somebody else started.
    case collapsed
    /// Held, and upstream confirmed just now that it still is what it was.
    case revalidated
}

package struct ManifestHead: Hashable, Sendable {
    package var digest: Digest
    package var mediaType: String
    package var size: Int
    package var outcome: CacheOutcome

    package init(digest: Digest, mediaType: String, size: Int, outcome: CacheOutcome) {
        self.digest = digest
        self.mediaType = mediaType
        self.size = size
        self.outcome = outcome
    }
}

/// A cached manifest's content, in place: valid inside the closure that gets it.
package enum CachedContent: ~Copyable, ~Escapable {
    /// Bytes of the mapped index; copy them out.
    case bytes(Span<UInt8>)
    case file(any StoredFile)
    case absent
}

package struct ManifestAnswer: Sendable {
    package var head: ManifestHead
    /// `nil` when only the head was asked for.
    package var content: Content?

    package enum Content: Sendable {
        case bytes([UInt8])
        case file(any StoredFile)
    }

    package init(head: ManifestHead, content: Content?) {
        self.head = head
        self.content = content
    }
}

package enum BlobAnswer: Sendable {
    case stored(any StoredFile, CacheOutcome)
    case growing(any GrowingBlob, CacheOutcome)
}

package struct BlobLength: Hashable, Sendable {
    package var length: Int?
    package var outcome: CacheOutcome

    package init(length: Int?, outcome: CacheOutcome) {
        self.length = length
        self.outcome = outcome
    }
}

package struct TagsAnswer: Hashable, Sendable {
    package var tags: [String]
    package var outcome: CacheOutcome

    package init(tags: [String], outcome: CacheOutcome) {
        self.tags = tags
        self.outcome = outcome
    }
}

package struct ReferrersDocument: Hashable, Sendable {
    package var bytes: [UInt8]
    /// Whether `artifactType` was applied, so that `OCI-Filters-Applied` is due.
    package var isFiltered: Bool
    package var outcome: CacheOutcome

    package init(bytes: [UInt8], isFiltered: Bool, outcome: CacheOutcome) {
        self.bytes = bytes
        self.isFiltered = isFiltered
        self.outcome = outcome
    }
}

/// A blob on its way, whose head has come.
package protocol GrowingBlob: AnyObject, Sendable {
    /// The length of the whole blob; `nil` when nothing told it (then it is sent chunked).
    var length: Int? { get }

    /// A reader of part of the blob, or of all of it (`0..<Int.max` when the length is not known).
    func reader(of range: Range<Int>) -> any GrowingBlobReader
}

/// One client's way through a growing blob.
///
/// Confined to one event loop.
package protocol GrowingBlobReader: AnyObject {
    /// What to do next.
    ///
    /// After ``ReadStep/wait`` the blob calls `wake` once, on any thread, when there is more; call `next` again then.
    func next(wake: @escaping @Sendable () -> Void) -> ReadStep

    /// The client is gone.
    ///
    /// The fetch goes on without it. Later wakes may still come, and mean nothing.
    func leave()
}

package enum ReadStep: Sendable {
    /// Send this part of the file, at once or in pieces, and then ask again.
    case send(any StoredFile, Range<Int>)
    /// Send these bytes, which are in no file, and then ask again.
    case sendBytes([UInt8])
    case wait
    /// All of the range has been sent, and what had to be verified was.
    case finished
    /// Cut the connection: a body that looks complete would be a lie.
    case failed(MirrorError)
}
