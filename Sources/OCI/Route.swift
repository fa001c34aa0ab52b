/// What a request asks of the registry API, read from its target before anything is done about it.
///
/// Four shapes of path lead to the same place, since clients put a mirror's prefix in different ones:
///
///     /v2/<name>/…             docker, containerd
///     /<prefix>/v2/<name>/…    docker and containerd, when the mirror's URL has a path
///     /v2/<prefix>/<name>/…    podman, buildkit: here the prefix is part of ``path``
///     /<prefix>/<name>/…       k3s, when its endpoint has a bare path
package struct Route: Hashable, Sendable {
    package enum Endpoint: Hashable, Sendable {
        /// `/v2/`: whether this is a registry.
        case ping
        case manifest(Reference)
        case blob(Digest)
        case tags(TagPage)
        case referrers(Digest, artifactType: String?)
    }

    package var endpoint: Endpoint
    /// What stands where `<name>` does, a valid name by its grammar; empty for a ping.
    package var path: String
    /// What stands before `/v2`.
    package var prefix: String?
    /// The `ns` parameter: the registry that the client means.
    package var namespace: String?

    package init(endpoint: Endpoint, path: String, prefix: String? = nil, namespace: String? = nil) {
        self.endpoint = endpoint
        self.path = path
        self.prefix = prefix
        self.namespace = namespace
    }

    package init(_ target: RequestTarget) throws(RouteError) {
        var components = try Self.components(of: target.path)
        namespace = target.parameter("ns")
        if let version = components.firstIndex(of: "v2") {
            prefix = version == 0 ? nil : try Self.name(components[..<version])
            components.removeFirst(version + 1)
        } else if components.count < 4 {
            // The shape without `/v2` has at least a prefix and a name.
            throw .notFound
        }
        if components.isEmpty {
            endpoint = .ping
            path = ""
            return
        }
        guard components.count >= 3 else { throw .notFound }
        endpoint = try Self.endpoint(components.suffix(2), target)
        path = try Self.name(components.dropLast(2))
    }

    /// The components of a path, all of them non-empty; `/v2/` may end in a slash, nothing else may.
    private static func components(of path: String) throws(RouteError) -> [Substring] {
        // By bytes: a path has no characters beyond ASCII, and to look for them takes its time.
        var components = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .dropFirst()
            .map(Substring.init)
        if components.last == "" {
            components.removeLast()
            guard components.isEmpty || components.last == "v2" else { throw .notFound }
        }
        guard !components.isEmpty else { throw .notFound }
        for component in components where component.isEmpty || component == "." || component == ".." {
            throw .nameInvalid
        }
        return components
    }

    private static func endpoint(
        _ end: ArraySlice<Substring>,
        _ target: RequestTarget
    ) throws(RouteError) -> Endpoint {
        let last = end[end.endIndex - 1]
        switch end[end.startIndex] {
        case "manifests": return .manifest(try reference(last))
        case "blobs": return .blob(try digest(last))
        case "referrers": return .referrers(try digest(last), artifactType: target.parameter("artifactType"))
        case "tags" where last == "list": return .tags(try TagPage(target))
        default: throw .notFound
        }
    }

    private static func name(_ components: ArraySlice<Substring>) throws(RouteError) -> String {
        let text = components.joined(separator: "/")
        guard (try? RepositoryName(text)) != nil else { throw .nameInvalid }
        return text
    }

    private static func reference(_ text: Substring) throws(RouteError) -> Reference {
        do { return try Reference(text) } catch {
            switch error {
            case .digest: throw .digestInvalid
            case .tag, .repository: throw .tagInvalid
            }
        }
    }

    private static func digest(_ text: Substring) throws(RouteError) -> Digest {
        guard let digest = try? Digest(text) else { throw .digestInvalid }
        return digest
    }
}

/// Which part of a tag list is wanted: at most `limit` tags, those after `last` in ASCII order.
package struct TagPage: Hashable, Sendable {
    package var limit: Int?
    package var last: String?

    package init(limit: Int? = nil, last: String? = nil) {
        self.limit = limit
        self.last = last
    }

    fileprivate init(_ target: RequestTarget) throws(RouteError) {
        last = target.parameter("last")
        guard let text = target.parameter("n") else { return }
        // `Int` would take a sign too.
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let limit = Int(text)
        else { throw .pageSizeInvalid }
        self.limit = limit
    }

    /// Cuts the page out of a list in ASCII order.
    ///
    /// `hasMore` is false for an empty page: there would be no tag for a link to go on from.
    package func page(of tags: [String]) -> (tags: ArraySlice<String>, hasMore: Bool) {
        var rest = tags[...]
        if let last { rest = rest.drop { !Self.precedes(last, $0) } }
        guard let limit else { return (rest, false) }
        return (rest.prefix(limit), limit > 0 && rest.count > limit)
    }

    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

/// Why a request target is not a request of the registry API.
package enum RouteError: Error, Hashable, Sendable {
    /// Not a URI that we read: a bad escape, a control character, no path.
    case malformed
    /// No endpoint has this shape.
    case notFound
    case nameInvalid
    case digestInvalid
    /// Cannot be a tag, so there is no such manifest.
    case tagInvalid
    case pageSizeInvalid

    /// A name from a bounded set, for metrics and logs.
    package var label: String {
        switch self {
        case .malformed: "malformed"
        case .notFound: "not_found"
        case .nameInvalid: "name_invalid"
        case .digestInvalid: "digest_invalid"
        case .tagInvalid: "tag_invalid"
        case .pageSizeInvalid: "page_size_invalid"
        }
    }
}
