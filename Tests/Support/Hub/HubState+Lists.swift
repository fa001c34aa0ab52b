import NIOHTTP1
import OCI

extension HubState {
    /// `tags/list`, in pages with a relative `Link`.
    func tagsReply(_ request: HubRequest, _ repository: HubRepository, _ name: String) -> HubReply {
        let asked = request.query["n"]?.first.flatMap { Int($0) } ?? options.tagPageSize
        let size = min(asked, options.tagPageSize)
        let last = request.query["last"]?.first
        let rest = repository.tags.keys.sorted().filter { tag in last.map { tag > $0 } ?? true }
        let page = rest.prefix(size)
        var headers: HTTPHeaders = [:]
        if page.count < rest.count, let end = page.last {
            headers.add(name: "link", value: "</v2/\(name)/tags/list?n=\(size)&last=\(end)>; rel=\"next\"")
        }
        let list = page.map { "\"\($0)\"" }.joined(separator: ",")
        return .json(.ok, #"{"name":"\#(name)","tags":[\#(list)]}"#, headers)
    }

    /// The referrers API, or the 404 of a registry without it.
    func referrersReply(_ request: HubRequest, _ repository: HubRepository, _ digest: String) -> HubReply {
        guard options.supportsReferrers else {
            return HubReply(.notFound, ["content-type": "text/plain"], content: Content("404 page not found\n"))
        }
        let referrers = repository.manifests.values
            .filter { $0.subject.map(\.description) == digest }
            .sorted { $0.digest.hex < $1.digest.hex }
        let entries = referrers.map { referrer in
            let type = referrer.artifactType.map { #","artifactType":"\#($0)""# } ?? ""
            return TestImage.descriptor(referrer.mediaType, referrer.content, extra: type)
        }
        let document = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociIndex)","manifests":[\(entries.joined(separator: ","))]}
            """
        return HubReply(.ok, ["content-type": MediaType.ociIndex], content: Content(document))
    }
}
