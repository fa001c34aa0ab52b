import OCI

/// What a person means who writes `nginx`, `nginx:1.27`, `ghcr.io/org/app@sha256:…`.
struct ImageName: Hashable, Sendable {
    var repository: Repository
    var reference: Reference

    /// Reads a name as Docker does: without a tag it is `latest`, and a digest goes before a tag.
    ///
    /// `isKnown` tells of what was kept of an upstream that is no longer configured.
    init(
        _ text: String,
        in directory: UpstreamDirectory,
        isKnown: (Repository) -> Bool = { _ in false }
    ) throws(CareError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        var path = parts[0]
        var tag: Substring = "latest"
        // A colon before the last slash is a port's.
        if let colon = path.lastIndex(of: ":"), !path[colon...].contains("/") {
            tag = path[path.index(after: colon)...]
            path = path[..<colon]
        }
        guard let reference = try? Reference(parts.count == 2 ? parts[1] : tag) else { throw .malformed(text) }
        if parts.count == 2, case .tag = reference { throw .malformed(text) }
        self.reference = reference
        do throws(MirrorError) {
            repository = try directory.resolve(path: String(path), prefix: nil, namespace: nil)
        } catch {
            guard case .upstreamUnknown(let upstream) = error,
                let name = try? RepositoryName(String(path.dropFirst(upstream.count + 1)))
            else { throw .malformed(text) }
            repository = Repository(upstream: UpstreamName(upstream), name: name)
            guard isKnown(repository) else { throw .upstreamUnknown(upstream) }
        }
    }

    init(_ reference: Reference, in repository: Repository) {
        self.reference = reference
        self.repository = repository
    }
}

extension ImageName: CustomStringConvertible {
    var description: String {
        switch reference {
        case .tag(let tag): "\(repository):\(tag)"
        case .digest(let digest): "\(repository)@\(digest)"
        }
    }
}
