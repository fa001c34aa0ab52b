import FoundationEssentials
import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Answers for tag lists, a page at a time.
enum TagsResponder {
    private struct Document: Encodable {
        var name: String
        var tags: [String]
    }

    static func answer(
        _ exchange: Exchange,
        _ route: Route,
        _ target: RequestTarget,
        _ page: TagPage,
        in repository: Repository
    ) {
        let registry = exchange.server.registry
        let caller = exchange.caller
        exchange.perform { () async throws(MirrorError) in
            try await registry.tags(in: repository, for: caller)
        } then: { answer in
            exchange.record.outcome = answer.outcome
            let (tags, hasMore) = page.page(of: answer.tags)
            // The name as the client knows it, which may begin with ours of the upstream.
            let body = bytes(of: Document(name: route.path, tags: Array(tags)))
            var head = ResponseHead(.ok, contentType: MediaType.json, contentLength: body.count)
            if hasMore, let last = tags.last, let limit = page.limit {
                head.add("Link", link(to: target.rawPath, limit, last, route.namespace))
            }
            exchange.respond(head, exchange.allocator.buffer(bytes: body))
        }
    }

    /// The next page, relative, at the path as the client wrote it: some refuse any other host (PROTOCOL R13).
    private static func link(to path: String, _ limit: Int, _ last: String, _ namespace: String?) -> String {
        var target = "\(path)?n=\(limit)&last=\(last.queryEscaped)"
        if let namespace { target += "&ns=\(namespace.queryEscaped)" }
        return "<\(target)>; rel=\"next\""
    }

    private static func bytes(of document: Document) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and arrays of strings always encode.
        return (try? encoder.encode(document)).map(Array.init) ?? []
    }
}
