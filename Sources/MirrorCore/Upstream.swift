package import OCI

/// A registry that we mirror, as the core sees it.
///
/// `UpstreamHTTP` implements it; tests script it. Tokens, redirects, retries of single requests and concurrency windows are the adapter's; what an answer means for the
/// cache is the core's. All methods may be called from any task; cancelling the task ends the request.
package protocol Upstream: Sendable {
    var name: UpstreamName { get }

    /// Whether its last requests failed, so that waiting for the next one is likely to be in vain.
    var isFailing: Bool { get }

    /// Asks what a reference is, by HEAD: free of Docker Hub's pull quota.
    ///
    /// A part that the registry left out is `nil`.
    func headManifest(
        _ reference: Reference,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> ManifestDescription

    /// Fetches a manifest of at most ``Manifest/maximumSize`` bytes. Costs quota on Docker Hub. The bytes are not verified.
    func manifest(
        _ reference: Reference,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> FetchedManifest

    /// Asks for a blob's length, by HEAD, or by a GET of one byte where HEADs are refused.
    ///
    /// - Returns: `nil` when the blob is there and its length was not told.
    func headBlob(
        _ digest: Digest,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> Int?

    /// Streams a blob from `offset` on into `sink`, and returns when its last byte has been taken.
    ///
    /// One attempt: a transfer that breaks throws, and the caller goes on from where it is. Redirects are followed. The
    /// sink is called on a thread of the adapter's that may block, in order and without overlap.
    func blob(
        _ digest: Digest,
        in repository: RepositoryName,
        from offset: Int,
        into sink: any BlobSink,
        for errand: Errand
    ) async throws(UpstreamError)

    /// All tags of a repository, in the registry's order, all pages of them (bounded).
    func tags(in repository: RepositoryName, for errand: Errand) async throws(UpstreamError) -> [String]

    /// The referrers of a digest, by the referrers API.
    func referrers(
        of digest: Digest,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> ReferrersAnswer
}

/// What a HEAD of a manifest told.
package struct ManifestDescription: Hashable, Sendable {
    package var digest: Digest?
    package var mediaType: String?
    package var size: Int?

    package init(digest: Digest?, mediaType: String?, size: Int?) {
        self.digest = digest
        self.mediaType = mediaType
        self.size = size
    }
}

/// A manifest as upstream sent it; not verified.
package struct FetchedManifest: Hashable, Sendable {
    package var bytes: [UInt8]
    /// The `Content-Type`, without parameters.
    package var mediaType: String?

    package init(bytes: [UInt8], mediaType: String?) {
        self.bytes = bytes
        self.mediaType = mediaType
    }
}

package enum ReferrersAnswer: Hashable, Sendable {
    /// One JSON image index for each page of the answer, as upstream sent them.
    case pages([[UInt8]])
    /// The registry has no referrers API (404, another content type, a redirect to another host).
    case unsupported
}

/// Takes a blob's bytes, on the transfer thread.
package protocol BlobSink: AnyObject, Sendable {
    /// The response head came. `false` ends the transfer with ``UpstreamError/refusedBySink``.
    func begin(_ head: BlobHead) -> Bool

    /// The next bytes: it takes all of them or none.
    func receive(_ bytes: Span<UInt8>) -> BlobIntake

    /// Whether it ever answers ``BlobIntake/full(_:)``: the transfer is then made in a way that can rest at little cost.
    var mayBeFull: Bool { get }
}

extension BlobSink {
    package var mayBeFull: Bool { false }
}

/// What a sink has done with the bytes that it was handed.
package enum BlobIntake: Sendable {
    case taken
    /// Ends the transfer with ``UpstreamError/refusedBySink``.
    case refused
    /// None was taken: the transfer rests, and hands them over again once it is told to go on.
    ///
    /// `register` is called once, with what tells it: that may be called on any thread, at once or later, and after the
    /// transfer's end to no effect.
    case full(_ register: @Sendable (_ goOn: @escaping @Sendable () -> Void) -> Void)
}

/// What the head of a blob's response told.
package struct BlobHead: Hashable, Sendable {
    /// Where the body starts: what was asked for, or 0 when the registry ignored the range.
    package var offset: Int
    /// The length of the whole blob, where the head told it.
    package var length: Int?

    package init(offset: Int, length: Int?) {
        self.offset = offset
        self.length = length
    }
}

/// Why an upstream did not do what was asked, in terms that policy can act on.
package enum UpstreamError: Error, Hashable, Sendable {
    /// 404: it is not there.
    case notFound
    /// 401 or 403 from the registry to a token that it issued, or 403/404 from the token endpoint for the repository.
    case denied
    /// The token endpoint refused our own credentials: our fault, an alarm, and never the client's.
    case credentialsRefused
    /// The pull limit (429 with `TOOMANYREQUESTS` in JSON): manifest reads must wait.
    case pullLimited(retryAfter: Duration?)
    /// The abuse limit (429, anything else): everything must wait.
    case abuseLimited(retryAfter: Duration?)
    /// The registry does not answer HEAD for this (405, 501).
    case headUnsupported
    /// Background work would have touched what is reserved for pulls; until when, where that is known.
    case reserved(retryAfter: Duration?)
    /// No usable answer came: see ``Outage``.
    case unavailable(Outage)
    /// The answer breaks a bound or the protocol (too large, content-encoded, too many redirects, a refused address).
    case unusable(String)
    /// The sink took no more: its own error says why.
    case refusedBySink
    /// The caller was cancelled.
    case cancelled

    /// There is nothing from the offset on that was asked for (416).
    package static let rangeRefused = Self.unusable("the range was refused")

    /// The ways in which no usable answer comes.
    package enum Outage: Hashable, Sendable {
        case dns
        case refused
        case timeout
        case tls
        /// The connection broke in the middle of an answer.
        case truncated
        /// A 5xx, or another status that nothing here expects.
        case status(Int)
        /// The bounded wait for a place in a concurrency window, or for a pause to end, ran out.
        case queue
        /// Nothing was asked: the upstream failed again and again, and is left alone for a moment.
        case circuitOpen(retryAfter: Duration)
    }

    /// Whether the same request may succeed a moment later.
    package var isTransient: Bool {
        switch self {
        case .unavailable, .pullLimited, .abuseLimited, .reserved: true
        case .notFound, .denied, .credentialsRefused, .headUnsupported, .unusable, .refusedBySink, .cancelled: false
        }
    }

    /// A name from a bounded set, for metrics and logs.
    package var label: String {
        switch self {
        case .notFound: "not_found"
        case .denied: "denied"
        case .credentialsRefused: "credentials_refused"
        case .pullLimited: "pull_limit"
        case .abuseLimited: "abuse_limit"
        case .reserved: "reserved"
        case .headUnsupported: "head_unsupported"
        case .unavailable(.dns): "dns"
        case .unavailable(.refused): "refused"
        case .unavailable(.timeout): "timeout"
        case .unavailable(.tls): "tls"
        case .unavailable(.truncated): "truncated"
        case .unavailable(.status): "status"
        case .unavailable(.queue): "queue"
        case .unavailable(.circuitOpen): "circuit_open"
        case .unusable: "unusable"
        case .refusedBySink: "refused_by_sink"
        case .cancelled: "cancelled"
        }
    }
}
