package import MirrorCore
package import OCI

/// A method of ``WarmMirror`` as a request of the control socket: a POST to `/-/api/warm/` and its name.
package enum WarmCall: Hashable, Sendable {
    case repository(path: String, registry: String)
    case tags(Repository)
    case look(OCI.Tag, Repository, isImmutable: Bool)
    case heldManifest(Digest, Repository)
    case manifest(Digest, Repository, reserve: Int?)
    /// At most ``mostBlobs``.
    case holdings([Digest], Repository)
    case blob(Digest, Repository)
    case referrers(Digest, Repository)
    case quota(UpstreamName)

    static let prefix = "/-/api/warm/"
    /// How many blobs one call may ask about: a request's target has room for no more.
    package static let mostBlobs = 40
}

// MARK: - For clients

extension WarmCall {
    package var target: String {
        let query = parameters.map { "\($0)=\($1.queryEscaped)" }.joined(separator: "&")
        return "\(Self.prefix)\(name)?\(query)"
    }

    private var name: String {
        switch self {
        case .repository: "repository"
        case .tags: "tags"
        case .look: "look"
        case .heldManifest: "held"
        case .manifest: "manifest"
        case .holdings: "holdings"
        case .blob: "blob"
        case .referrers: "referrers"
        case .quota: "quota"
        }
    }

    private var parameters: [(String, String)] {
        switch self {
        case .repository(let path, let registry): [("path", path), ("registry", registry)]
        case .tags(let repository): Self.parameters(repository)
        case .look(let tag, let repository, let isImmutable):
            Self.parameters(repository) + [("tag", tag.text)] + (isImmutable ? [("immutable", "1")] : [])
        case .heldManifest(let digest, let repository), .blob(let digest, let repository),
            .referrers(let digest, let repository):
            Self.parameters(repository) + [("digest", "\(digest)")]
        case .manifest(let digest, let repository, let reserve):
            Self.parameters(repository) + [("digest", "\(digest)")] + (reserve.map { [("reserve", "\($0)")] } ?? [])
        case .holdings(let digests, let repository):
            Self.parameters(repository) + [("digests", digests.map(\.description).joined(separator: ","))]
        case .quota(let upstream): [("upstream", upstream.text)]
        }
    }

    private static func parameters(_ repository: Repository) -> [(String, String)] {
        [("upstream", repository.upstream.text), ("repository", repository.name.text)]
    }
}

// MARK: - For the server

extension WarmCall {
    /// Reads a request's target.
    package init(_ target: RequestTarget) throws(CacheCall.Failure) {
        let name = target.path.hasPrefix(Self.prefix) ? target.path.dropFirst(Self.prefix.count) : ""
        switch name {
        case "repository":
            self = .repository(path: try target.text("path"), registry: try target.text("registry"))
        case "tags": self = .tags(try target.repository())
        case "look":
            guard let tag = try? OCI.Tag(try target.text("tag")) else { throw .parameter("tag") }
            let isImmutable = target.parameter("immutable") != nil
            self = .look(tag, try target.repository(), isImmutable: isImmutable)
        case "held": self = .heldManifest(try target.digest(), try target.repository())
        case "manifest":
            self = .manifest(try target.digest(), try target.repository(), reserve: try target.reserve())
        case "holdings": self = .holdings(try target.digests(), try target.repository())
        case "blob": self = .blob(try target.digest(), try target.repository())
        case "referrers": self = .referrers(try target.digest(), try target.repository())
        case "quota": self = .quota(UpstreamName(try target.text("upstream")))
        default: throw .notFound
        }
    }
}

extension RequestTarget {
    fileprivate func text(_ name: String) throws(CacheCall.Failure) -> String {
        guard let text = parameter(name) else { throw .parameter(name) }
        return text
    }

    fileprivate func repository() throws(CacheCall.Failure) -> Repository {
        guard let name = try? RepositoryName(try text("repository")) else { throw .parameter("repository") }
        return Repository(upstream: UpstreamName(try text("upstream")), name: name)
    }

    fileprivate func digest() throws(CacheCall.Failure) -> Digest {
        guard let digest = try? Digest(try text("digest")) else { throw .parameter("digest") }
        return digest
    }

    fileprivate func digests() throws(CacheCall.Failure) -> [Digest] {
        let texts = try text("digests").split(separator: ",")
        let digests = texts.compactMap { try? Digest($0) }
        guard digests.count == texts.count, digests.count <= WarmCall.mostBlobs else { throw .parameter("digests") }
        return digests
    }

    fileprivate func reserve() throws(CacheCall.Failure) -> Int? {
        guard let text = parameter("reserve") else { return nil }
        guard let reserve = Int(text), reserve >= 0 else { throw .parameter("reserve") }
        return reserve
    }
}
