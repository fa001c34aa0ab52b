import YAMLReading

extension MirrorSettings {
    /// Reads `upstreams` and `default_upstream`.
    mutating func readUpstreams(_ root: Section) {
        var names = UpstreamNames()
        root.readSections("upstreams") { written, section in
            guard let name = names.claim(written, section) else { return }
            var upstream = UpstreamSettings(name: name)
            upstream.read(section)
            if name == UpstreamSettings.dockerHubName {
                upstreams[0] = upstream
            } else {
                upstreams.append(upstream)
            }
            names.aliases.append((name, upstream.aliases, section))
        }
        names.checkAliases()
        readDefaultUpstream(root)
    }

    private mutating func readDefaultUpstream(_ root: Section) {
        var written: String?
        root.read("default_upstream", .host, into: &written)
        guard let written else { return }
        let name = UpstreamSettings.canonical(written)
        let names = upstreams.map(\.name)
        if names.contains(name) {
            defaultUpstream = name
        } else {
            let hint = name.nearest(among: names).map { "; did you mean \($0)?" } ?? "; add it there"
            root.note("default_upstream", "\"\(written)\" is not one of the upstreams\(hint)")
        }
    }
}

extension UpstreamSettings {
    fileprivate mutating func read(_ section: Section) {
        readAccess(section)
        readFreshness(section)
        section.readSection("concurrency") { concurrency.read($0) }
        section.readSection("timeouts") { timeouts.read($0) }
        section.read("retries", .count(0...100), into: &retries)
        section.read("requests_per_minute", .count(1...1_000_000), into: &requestsPerMinute)
        section.read("reserve", .count(0...1_000_000), into: &reserve)
        section.readList("allow", .glob, into: &allow)
        section.readList("deny", .glob, into: &deny)
        section.read("private", .choice, into: &privateRepositories)
        readContentSources(section)
    }

    /// Reads where the upstream is and who we are to it.
    private mutating func readAccess(_ section: Section) {
        section.read("endpoint", .endpoint, into: &endpoint)
        section.readList("aliases", .host, into: &aliases)
        credentials = Credentials(section)
        section.read("proxy", .proxy, into: &proxy)
        section.read("ca_file", .path(in: section.findings.file), into: &caFile)
        section.readList("trusted_realms", .host, into: &trustedRealms)
        section.read("insecure", .flag, into: &insecure)
        if insecure, endpoint.scheme == .http {
            section.warn("insecure", "has no effect: the endpoint is http://, without TLS")
        }
    }

    private mutating func readFreshness(_ section: Section) {
        section.read("tag_ttl", .duration, into: &tagTTL)
        section.readList("immutable_tags", .tagGlob, into: &immutableTags)
        section.read("on_upstream_gone", .choice, into: &onUpstreamGone)
        section.read("denied_grace", .duration, into: &deniedGrace)
        section.read("stale_if_error", .duration, into: &staleIfError)
        section.read("negative_ttl", .duration, into: &negativeTTL)
    }

    /// Reads a list whose elements are URLs, or mappings with a `url` and `repositories`.
    private mutating func readContentSources(_ section: Section) {
        section.forEachItem(of: "content_sources") { item in
            let isMapping = item.readSection {
                var url: EndpointURL?
                var repositories: [String] = []
                $0.read("url", .endpoint, into: &url)
                $0.readList("repositories", .glob, into: &repositories)
                if let url {
                    contentSources.append(ContentSource(url: url, repositories: repositories))
                } else if !$0.has("url") {
                    item.note("needs a url")
                }
            }
            if !isMapping, let url = item.read(.endpoint) { contentSources.append(ContentSource(url: url)) }
        }
    }
}

extension Concurrency {
    fileprivate mutating func read(_ section: Section) {
        section.read("heads", .count(1...10_000), into: &heads)
        section.read("manifests", .count(1...10_000), into: &manifests)
        section.read("blobs", .count(1...10_000), into: &blobs)
    }
}

extension Timeouts {
    fileprivate mutating func read(_ section: Section) {
        section.read("connect", .positiveDuration, into: &connect)
        section.read("head", .positiveDuration, into: &head)
        section.read("stall", .positiveDuration, into: &stall)
        section.read("answer_within", .positiveDuration, into: &answerWithin)
        section.read("revalidate_within", .positiveDuration, into: &revalidateWithin)
        if revalidateWithin > answerWithin {
            section.note("revalidate_within", "must not be longer than answer_within (\(answerWithin.settingsText))")
        }
        // containerd gives up 30 s after its request.
        if answerWithin >= .seconds(30) {
            section.warn("answer_within", "is not below 30s, after which containerd gives up")
        }
    }
}
