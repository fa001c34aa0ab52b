package import OCI

/// A mirror as those see it who fill its cache ahead of pulls.
///
/// ``CacheWarmer`` implements it in the process that owns the cache; others reach it by the control socket, or by plain
/// pulls. All is asked for as ``Purpose/prewarm``: people who pull go first. When the task is cancelled a method throws
/// ``MirrorError/shuttingDown``; what it has begun belongs to the cache, and goes on there.
package protocol WarmMirror: Sendable {
    /// Finds a repository by its path and the registry's host, which may have a port.
    func repository(_ path: String, of registry: String) async throws(MirrorError) -> Repository

    /// All tags, in ASCII order.
    func tags(in repository: Repository) async throws(MirrorError) -> [String]

    /// What a tag names: as upstream says now, or as it said within `tag_ttl`.
    ///
    /// With `isImmutable` upstream is not asked about a tag whose manifest is held. Never a stale answer.
    func look(up tag: Tag, in repository: Repository, isImmutable: Bool) async throws(MirrorError) -> WarmTag

    /// A manifest that is stored, without asking upstream.
    func heldManifest(_ digest: Digest, in repository: Repository) async throws(MirrorError) -> HeldManifest?

    /// A manifest, read upstream where it is not stored, and stored when this returns.
    ///
    /// `reserve` is what such a read leaves of the quota; `nil` for the upstream's setting.
    func manifest(
        _ digest: Digest,
        in repository: Repository,
        keeping reserve: Int?
    ) async throws(MirrorError) -> WarmManifest

    /// What is here of some blobs, in their order, without asking upstream.
    func holdings(of blobs: [Digest], in repository: Repository) async throws(MirrorError) -> [BlobHolding]

    /// Fetches a blob where it is not stored; returns when it is.
    ///
    /// `progress` gets the bytes that are here so far, on any thread; they may become fewer when a transfer begins anew.
    func warm(
        _ blob: Digest,
        in repository: Repository,
        progress: @escaping @Sendable (Int) -> Void
    ) async throws(MirrorError)

    /// The referrers of a digest, as an image index document.
    func referrers(of digest: Digest, in repository: Repository) async throws(MirrorError) -> [UInt8]

    /// What is known of the quota that reads from an upstream draw on.
    func quota(of upstream: UpstreamName) async -> WarmQuota
}

/// What a tag names.
package struct WarmTag: Hashable, Sendable {
    package var digest: Digest
    package var mediaType: String
    /// Of the manifest, in bytes.
    package var size: Int

    package init(digest: Digest, mediaType: String, size: Int) {
        self.digest = digest
        self.mediaType = mediaType
        self.size = size
    }
}

/// A manifest that is stored.
package struct HeldManifest: Hashable, Sendable {
    package var bytes: [UInt8]
    /// Whether it would be served for the repository without a question to its upstream: DESIGN rule 15.
    package var isProved: Bool

    package init(bytes: [UInt8], isProved: Bool) {
        self.bytes = bytes
        self.isProved = isProved
    }
}

/// A manifest, and what it cost.
package struct WarmManifest: Hashable, Sendable {
    package var bytes: [UInt8]
    /// Whether it was read upstream for this call; not when it was stored, or came with somebody else's read.
    package var wasRead: Bool

    package init(bytes: [UInt8], wasRead: Bool) {
        self.bytes = bytes
        self.wasRead = wasRead
    }
}

/// What is here of a blob.
package enum BlobHolding: Hashable, Sendable {
    /// Stored, and served for the repository without a question to its upstream.
    case held
    /// Stored by way of another repository: to serve it for this one takes a HEAD.
    case unproved
    /// Not stored; so many bytes are left of an earlier flight.
    case missing(received: Int)
}

/// A quota, as far as it is known.
package struct WarmQuota: Hashable, Sendable, Codable {
    /// `nil` where no limit is known, or there is none.
    package var limit: Int?
    package var remaining: Int?
    /// What background work leaves for pulls.
    package var reserve: Int
    /// When quota is back, as far as can be told.
    package var resetsAt: WallTime?

    package init(limit: Int? = nil, remaining: Int? = nil, reserve: Int = 0, resetsAt: WallTime? = nil) {
        self.limit = limit
        self.remaining = remaining
        self.reserve = reserve
        self.resetsAt = resetsAt
    }
}
