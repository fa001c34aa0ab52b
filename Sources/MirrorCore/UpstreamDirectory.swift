import OCI

/// Which upstream and repository a request means: DESIGN 1.1.
package struct UpstreamDirectory: Sendable {
    private var names: [String: UpstreamName]
    private let defaultUpstream: UpstreamName
    private let targets: TargetNames

    /// Names of Docker Hub that clients send; all are one upstream.
    private static let dockerHubNames = ["docker.io", "index.docker.io", "registry-1.docker.io"]

    /// Takes the canonical names with their aliases, and what is served under second names.
    package init(
        upstreams: [UpstreamName: [String]],
        defaultUpstream: UpstreamName,
        targets: [ServedTarget] = []
    ) {
        names = [:]
        self.targets = TargetNames(targets)
        self.defaultUpstream = defaultUpstream
        for (upstream, aliases) in upstreams {
            names[upstream.text.lowercased()] = upstream
            for alias in aliases { names[alias.lowercased()] = upstream }
        }
        if upstreams.keys.contains(.dockerHub) {
            for name in Self.dockerHubNames { names[name] = .dockerHub }
        }
    }

    /// Finds the repository; see ``Registry/resolve(path:prefix:namespace:)``.
    package func resolve(path: String, prefix: String?, namespace: String?) throws(MirrorError) -> Repository {
        if let target = try target(path: path, prefix: prefix, namespace: namespace) { return target }
        let prefixed = prefix.map { ($0, names[$0.lowercased()]) }
        if let namespace {
            let upstream = try upstream(named: namespace)
            // BuildKit and k3s name the upstream twice. Another upstream's name is part of the repository then.
            if let (prefix, named) = prefixed, named != upstream {
                guard named != nil else { throw .upstreamUnknown(prefix) }
                return try repository(upstream, "\(prefix)/\(path)")
            }
            return try repository(upstream, stripping(upstream, from: path))
        }
        if let (prefix, named) = prefixed {
            guard let named else { throw .upstreamUnknown(prefix) }
            return try repository(named, stripping(named, from: path))
        }
        guard let (first, rest) = firstComponent(of: path) else { return try repository(defaultUpstream, path) }
        if let named = names[first.lowercased()] { return try repository(named, rest) }
        // No organisation of Docker Hub has a dot in its name: this is a registry that nobody has configured.
        if defaultUpstream == .dockerHub, first.contains(".") || first.contains(":") {
            throw .upstreamUnknown(first)
        }
        return try repository(defaultUpstream, path)
    }

    /// The repository that is served under a second name, when the request has one; upstreams' names come first.
    private func target(path: String, prefix: String?, namespace: String?) throws(MirrorError) -> Repository? {
        var (registry, name) = (namespace ?? prefix, path)
        if let namespace, let prefix, prefix.lowercased() != namespace.lowercased() { name = "\(prefix)/\(path)" }
        if let (first, rest) = firstComponent(of: name), registry == nil || registry?.lowercased() == first.lowercased()
        {
            // An upstream's name, or the registry: perhaps for the second time, as BuildKit and k3s do.
            if names[first.lowercased()] != nil { return nil }
            if targets.hasRegistry(first) { (registry, name) = (first, rest) }
        }
        guard let registry else { return targets.repository(name, at: nil) }
        guard names[registry.lowercased()] == nil, targets.hasRegistry(registry) else { return nil }
        guard let repository = targets.repository(name, at: registry) else { throw .repositoryUnknown }
        return repository
    }

    private func upstream(named name: String) throws(MirrorError) -> UpstreamName {
        guard let upstream = names[name.lowercased()] else { throw .upstreamUnknown(name) }
        return upstream
    }

    private func stripping(_ upstream: UpstreamName, from path: String) -> String {
        guard let (first, rest) = firstComponent(of: path), names[first.lowercased()] == upstream else { return path }
        return rest
    }

    private func firstComponent(of path: String) -> (first: String, rest: String)? {
        guard let slash = path.firstIndex(of: "/") else { return nil }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    private func repository(_ upstream: UpstreamName, _ path: String) throws(MirrorError) -> Repository {
        let isShort = upstream == .dockerHub && !path.contains("/")
        guard let name = try? RepositoryName(isShort ? "library/\(path)" : path) else { throw .repositoryUnknown }
        return Repository(upstream: upstream, name: name)
    }
}
