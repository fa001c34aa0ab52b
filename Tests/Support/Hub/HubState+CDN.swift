import NIOHTTP1
import OCI

extension HubState {
    /// A signed URL's answer: bytes and ranges for whoever has the signature.
    ///
    /// A second authentication mechanism is refused, as S3 and R2 do: a mirror must drop `Authorization` when it follows
    /// the redirect.
    func cdnReply(to request: HubRequest) -> HubReply {
        guard request.authorization == nil else {
            return HubReply(.badRequest, content: Content("Only one auth mechanism allowed"))
                .complaining("Authorization crossed to the CDN")
        }
        guard request.method == .GET else { return HubReply(.forbidden).complaining("the URL is signed for GET") }
        guard case .cdnBlob(let text) = request.target, let digest = try? Digest(text),
            let signature = request.query["verify"]?.first, signatures[signature] == digest,
            let content = repositories.values.lazy.compactMap({ $0.blobs[digest] }).first
        else { return HubReply(.forbidden).complaining("no such signed URL") }
        let headers: HTTPHeaders = ["content-type": "application/octet-stream", "accept-ranges": "bytes"]
        return HubReply(.ok, headers, content: content).ranged(by: request)
    }
}

extension HubReply {
    /// The same answer with `Range` applied: one range, `bytes=a-b`, `bytes=a-` or `bytes=-n`.
    func ranged(by request: HubRequest) -> HubReply {
        guard status == .ok, let content, let text = request.headers.first(name: "range"), text.hasPrefix("bytes=")
        else {
            return self
        }
        let parts = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2 else { return self }
        let start: Int
        let end: Int
        switch (parts[0], parts[1]) {
        case (let first?, nil): (start, end) = (first, content.count)
        case (let first?, let last?): (start, end) = (first, min(last + 1, content.count))
        case (nil, let suffix?): (start, end) = (max(0, content.count - suffix), content.count)
        case (nil, nil): return self
        }
        var reply = self
        guard start < end else {
            return HubReply(.rangeNotSatisfiable, ["content-range": "bytes */\(content.count)"])
        }
        reply.status = .partialContent
        reply.headers.add(name: "content-range", value: "bytes \(start)-\(end - 1)/\(content.count)")
        reply.range = start..<end
        return reply
    }
}
