import NIOHTTP1
import OCI

extension HubState {
    /// The registry API, read-only, as registry-1.docker.io answers it.
    mutating func registryReply(to request: HubRequest) -> HubReply {
        var reply = uncheckedReply(to: request)
        if request.query["ns"] != nil { reply.complaint = "ns is for mirrors, not for upstreams" }
        reply.headers.add(name: "docker-distribution-api-version", value: "registry/2.0")
        return reply
    }

    private mutating func uncheckedReply(to request: HubRequest) -> HubReply {
        guard request.method == .GET || request.method == .HEAD else {
            return HubReply.error(.methodNotAllowed, "UNSUPPORTED").complaining("a write")
        }
        if let challenge = challenge(for: request, repository: request.target.repository) { return challenge }
        guard let name = request.target.repository else {
            guard request.target == .ping else { return missing(request, "NOT_FOUND", "an unknown path") }
            return .json(.ok, "{}")
        }
        guard let repository = repositories[name] else {
            return missing(request, "NAME_UNKNOWN", "an unknown repository")
        }
        switch request.target {
        case .manifest(_, let reference): return manifestReply(request, repository, reference)
        case .blob(_, let digest): return blobReply(request, repository, digest)
        case .tags: return tagsReply(request, repository, name)
        case .referrers(_, let digest): return referrersReply(request, repository, digest)
        case .ping, .token, .cdnBlob, .unknown: return missing(request, "NOT_FOUND", "an unknown path")
        }
    }

    /// 404; a complaint unless the test said that it may come.
    private func missing(_ request: HubRequest, _ code: String, _ complaint: String) -> HubReply {
        let reply = HubReply.error(.notFound, code)
        let isExpected = expectedMissing.contains { $0.matches(request) }
        return isExpected ? reply : reply.complaining("asked for \(complaint)")
    }

    private mutating func manifestReply(
        _ request: HubRequest,
        _ repository: HubRepository,
        _ reference: String
    ) -> HubReply {
        let digest = repository.tags[reference] ?? (try? Digest(reference))
        guard let manifest = digest.flatMap({ repository.manifests[$0] }) else {
            return missing(request, "MANIFEST_UNKNOWN", "an unknown manifest")
        }
        guard accepts(request, manifest.mediaType) else {
            return HubReply.error(.notFound, "MANIFEST_UNKNOWN").complaining("Accept leaves out \(manifest.mediaType)")
        }
        if let refusal = charge(request) { return refusal }
        var headers: HTTPHeaders = [
            "content-type": manifest.mediaType,
            "docker-content-digest": "\(manifest.digest)",
            "etag": "\"\(manifest.digest)\"",
        ]
        headers.add(contentsOf: quotaHeaders(for: request))
        return HubReply(.ok, headers, content: manifest.content)
    }

    private func accepts(_ request: HubRequest, _ mediaType: String) -> Bool {
        let accepted = request.headers[canonicalForm: "accept"].map { $0.split(separator: ";")[0] }
        return accepted.contains { $0 == mediaType || $0 == "*/*" }
    }

    private mutating func blobReply(_ request: HubRequest, _ repository: HubRepository, _ text: String) -> HubReply {
        guard let content = (try? Digest(text)).flatMap({ repository.blobs[$0] }) else {
            return missing(request, "BLOB_UNKNOWN", "an unknown blob")
        }
        let headers: HTTPHeaders = [
            "content-type": "application/octet-stream", "docker-content-digest": "\(content.digest)",
        ]
        guard request.method == .GET, options.redirectsBlobs else {
            return HubReply(.ok, headers, content: content).ranged(by: request)
        }
        let signature = secret("1790000000-")
        signatures[signature] = content.digest
        let hex = content.digest.hex
        let host = options.cdnHosts[signatures.count % options.cdnHosts.count]
        let location = """
            http://\(host):\(ports[.cdn] ?? 0)/registry-v2/docker/registry/v2/blobs/sha256/\(hex.prefix(2))/\(hex)/data?verify=\(signature)
            """
        return HubReply(.temporaryRedirect, ["location": location, "content-type": "application/octet-stream"])
    }
}
