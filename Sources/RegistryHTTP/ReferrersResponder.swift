import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Answers for the referrers of a manifest: always an image index, if perhaps an empty one.
enum ReferrersResponder {
    static func answer(
        _ exchange: Exchange,
        _ digest: Digest,
        _ artifactType: String?,
        in repository: Repository
    ) {
        let registry = exchange.server.registry
        let caller = exchange.caller
        exchange.perform { () async throws(MirrorError) in
            try await registry.referrers(of: digest, artifactType: artifactType, in: repository, for: caller)
        } then: { document in
            exchange.record.outcome = document.outcome
            // Clients compare the type as a whole: a parameter after it would mean "unsupported" (PROTOCOL A5.4).
            var head = ResponseHead(.ok, contentType: MediaType.ociIndex, contentLength: document.bytes.count)
            if document.isFiltered { head.add("OCI-Filters-Applied", "artifactType") }
            exchange.respond(head, exchange.allocator.buffer(bytes: document.bytes))
        }
    }
}
