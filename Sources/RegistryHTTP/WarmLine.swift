import FoundationEssentials
package import MirrorCore
import OCI

/// A line of the answer to a ``WarmCall``: JSON, an object with one key.
///
/// All but `received` are the last of their answer.
package enum WarmLine: Hashable, Sendable {
    case repository(Repository)
    case tags([String])
    case tag(WarmTag)
    /// `nil` when it is not held.
    case heldManifest(HeldManifest?)
    case manifest(WarmManifest)
    case holdings([BlobHolding])
    /// The bytes of a blob that are here so far.
    case received(Int)
    /// The blob is stored.
    case stored
    case referrers([UInt8])
    case quota(WarmQuota)
    case error(MirrorError)

    package init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(Document.self, from: Data(json)).line()
    }

    /// The line, with a newline at its end.
    package var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings, whole numbers and truth values always encode.
        return ((try? encoder.encode(Document(self))).map(Array.init) ?? []) + [UInt8(ascii: "\n")]
    }
}

/// The line as JSON has it; bytes are base64.
private struct Document: Codable {
    struct Place: Codable {
        var upstream: String
        var name: String
    }

    struct Named: Codable {
        var digest: String
        var mediaType: String
        var size: Int
    }

    struct Content: Codable {
        /// `nil` when it is not held.
        var bytes: Data?
        var isProved: Bool?
        var wasRead: Bool?
    }

    struct Holding: Codable {
        /// `nil` for one that is stored.
        var received: Int?
        var isProved: Bool?
    }

    struct Failure: Codable {
        var code: String
        var detail: String?
        var retryAfterMilliseconds: Int64?
    }

    var repository: Place?
    var tags: [String]?
    var tag: Named?
    var held: Content?
    var manifest: Content?
    var holdings: [Holding]?
    var received: Int?
    var isStored: Bool?
    var referrers: Data?
    var quota: WarmQuota?
    var error: Failure?

    init(_ line: WarmLine) {
        switch line {
        case .repository(let place): repository = Place(upstream: place.upstream.text, name: place.name.text)
        case .tags(let names): tags = names
        case .tag(let named):
            tag = Named(digest: "\(named.digest)", mediaType: named.mediaType, size: named.size)
        case .heldManifest(let found): held = Content(bytes: found.map { Data($0.bytes) }, isProved: found?.isProved)
        case .manifest(let found): manifest = Content(bytes: Data(found.bytes), wasRead: found.wasRead)
        case .holdings(let found): holdings = found.map(Holding.init)
        case .received(let count): received = count
        case .stored: isStored = true
        case .referrers(let bytes): referrers = Data(bytes)
        case .quota(let found): quota = found
        case .error(let failure): error = Failure(failure)
        }
    }

    struct Malformed: Error {}

    func line() throws -> WarmLine {
        if let repository {
            let name = try RepositoryName(repository.name)
            return .repository(Repository(upstream: UpstreamName(repository.upstream), name: name))
        }
        if let tags { return .tags(tags) }
        if let tag {
            return .tag(WarmTag(digest: try Digest(tag.digest), mediaType: tag.mediaType, size: tag.size))
        }
        if let held {
            return .heldManifest(
                held.bytes.map { HeldManifest(bytes: Array($0), isProved: held.isProved ?? false) }
            )
        }
        if let manifest, let bytes = manifest.bytes {
            return .manifest(WarmManifest(bytes: Array(bytes), wasRead: manifest.wasRead ?? true))
        }
        if let holdings { return .holdings(holdings.map(\.value)) }
        if let received { return .received(received) }
        if isStored == true { return .stored }
        if let referrers { return .referrers(Array(referrers)) }
        if let quota { return .quota(quota) }
        if let error { return .error(error.value) }
        throw Malformed()
    }
}

extension Document.Holding {
    fileprivate init(_ holding: BlobHolding) {
        switch holding {
        case .held: isProved = true
        case .unproved: isProved = false
        case .missing(let count): received = count
        }
    }

    fileprivate var value: BlobHolding {
        if let received { return .missing(received: received) }
        return isProved == true ? .held : .unproved
    }
}

extension Document.Failure {
    fileprivate init(_ error: MirrorError) {
        code = error.label
        switch error {
        case .upstreamUnknown(let name): detail = name
        case .limited(let limit, let wait):
            detail = limit.label
            retryAfterMilliseconds = wait?.wholeMilliseconds
        case .unavailable(let reason, let wait):
            detail = reason
            retryAfterMilliseconds = wait?.wholeMilliseconds
        default: break
        }
    }

    /// The error; one of a later version is an outage by that name.
    fileprivate var value: MirrorError {
        let wait = retryAfterMilliseconds.map { Duration.milliseconds($0) }
        switch code {
        case MirrorError.upstreamUnknown("").label: return .upstreamUnknown(detail ?? "")
        case MirrorError.limited(.pull, retryAfter: nil).label:
            let limit = [MirrorError.Limit.pull, .abuse, .reserve].first { $0.label == detail } ?? .abuse
            return .limited(limit, retryAfter: wait)
        case MirrorError.unavailable(reason: "", retryAfter: nil).label:
            return .unavailable(reason: detail ?? code, retryAfter: wait)
        default:
            let plain: [MirrorError] = [
                .repositoryUnknown, .manifestUnknown, .blobUnknown, .denied, .forbidden, .corrupt, .tooSlow,
                .shuttingDown,
            ]
            return plain.first { $0.label == code } ?? .unavailable(reason: code, retryAfter: wait)
        }
    }
}

extension MirrorError.Limit {
    fileprivate var label: String {
        switch self {
        case .pull: "pull"
        case .abuse: "abuse"
        case .reserve: "reserve"
        }
    }
}
