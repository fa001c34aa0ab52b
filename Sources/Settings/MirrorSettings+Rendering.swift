import OCI

extension MirrorSettings {
    /// The settings as a file that would give them, with every key; secrets as `<redacted>`.
    package var rendered: String {
        var yaml = YAMLText()
        yaml.list("listen", listen) { listener, yaml in
            yaml.line("address", listener.address)
            if let tls = listener.tls {
                yaml.section("tls") { yaml in
                    yaml.line("certificate", tls.certificate)
                    yaml.line("key", tls.key)
                }
            }
        }
        yaml.line("data_dir", dataDirectory)
        yaml.line("default_upstream", defaultUpstream)
        yaml.section("upstreams") { yaml in
            for upstream in upstreams { yaml.section(upstream.name) { upstream.render(into: &$0) } }
        }
        yaml.section("cache") { cache.render(into: &$0) }
        yaml.section("limits") { limits.render(into: &$0) }
        yaml.line("when_exhausted", whenExhausted.rawValue)
        yaml.section("admin") { yaml in
            yaml.line("address", admin.address?.description ?? "same")
            yaml.line("token", admin.token)
        }
        yaml.line("drain", drain)
        yaml.list("serve_targets", serveTargets)
        yaml.section("log") { yaml in
            yaml.line("level", log.level.rawValue)
            yaml.line("format", log.format.rawValue)
        }
        return yaml.text
    }
}

extension CacheSettings {
    fileprivate func render(into yaml: inout YAMLText) {
        yaml.line("max_size", maxSize)
        yaml.line("min_free", minFree)
        yaml.line("max_manifests_size", maxManifestsSize)
        yaml.line("index_map_size", indexMapSize)
    }
}

extension LimitSettings {
    fileprivate func render(into yaml: inout YAMLText) {
        yaml.line("connections", connections)
        yaml.line("header_bytes", headerBytes)
        yaml.line("head_timeout", headTimeout)
        yaml.line("idle_timeout", idleTimeout)
        yaml.line("send_stall", sendStall)
    }
}

extension UpstreamSettings {
    fileprivate func render(into yaml: inout YAMLText) {
        yaml.line("endpoint", endpoint)
        yaml.list("aliases", aliases)
        credentials.render(into: &yaml)
        yaml.list("content_sources", contentSources) { source, yaml in
            yaml.line("url", source.url)
            yaml.list("repositories", source.repositories)
        }
        yaml.line("tag_ttl", tagTTL)
        yaml.list("immutable_tags", immutableTags)
        yaml.line("on_upstream_gone", onUpstreamGone.rawValue)
        yaml.line("denied_grace", deniedGrace)
        yaml.line("private", privateRepositories.rawValue)
        yaml.line("requests_per_minute", requestsPerMinute)
        yaml.line("proxy", proxy)
        yaml.line("stale_if_error", staleIfError)
        yaml.line("negative_ttl", negativeTTL)
        yaml.line("reserve", reserve)
        yaml.section("concurrency") { yaml in
            yaml.line("heads", concurrency.heads)
            yaml.line("manifests", concurrency.manifests)
            yaml.line("blobs", concurrency.blobs)
        }
        yaml.section("timeouts") { timeouts.render(into: &$0) }
        yaml.line("retries", retries)
        yaml.list("allow", allow)
        yaml.list("deny", deny)
        yaml.line("ca_file", caFile)
        yaml.list("trusted_realms", trustedRealms)
        yaml.line("insecure", insecure)
    }
}

extension Timeouts {
    fileprivate func render(into yaml: inout YAMLText) {
        yaml.line("connect", connect)
        yaml.line("head", head)
        yaml.line("stall", stall)
        yaml.line("answer_within", answerWithin)
        yaml.line("revalidate_within", revalidateWithin)
    }
}

extension Credentials {
    fileprivate func render(into yaml: inout YAMLText) {
        switch self {
        case .automatic: yaml.line("auth", String?.none)
        case .anonymous: yaml.line("auth", "anonymous")
        case .dockerConfig: yaml.line("auth", "docker_config")
        case .basic(let username, let password):
            yaml.line("auth", "basic")
            yaml.section("credentials") { yaml in
                yaml.line("username", username)
                yaml.line("password", password)
            }
        case .token(let token):
            yaml.line("auth", "token")
            yaml.line("token", token)
        }
    }
}
