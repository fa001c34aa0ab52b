import MirrorCore
import NIOCore
import NIOHTTP1
import OCI
import Posix

/// Answers for manifests: on the event loop where what is held may be served.
enum ManifestResponder {
    /// A cached manifest's content, out of the index.
    private enum Content {
        case bytes(ByteBuffer)
        case file(any StoredFile)
        case absent

        var isPresent: Bool {
            if case .absent = self { false } else { true }
        }
    }

    static func answer(_ exchange: Exchange, _ reference: Reference, in repository: Repository) {
        let registry = exchange.server.registry
        let caller = exchange.caller
        let isHead = exchange.isHead
        // Read before the answer: what changes meanwhile must not look like what it was.
        let revision = registry.revision
        if let (head, content) = cached(exchange, reference, in: repository) {
            let needsContent = !isHead && !exchange.request.headers.nameAsHeld(head.digest)
            if !needsContent || content.isPresent {
                let lifetime = head.outcome == .hit ? registry.lifetime(of: reference, in: repository) : .zero
                let end = lifetime > .zero ? NIODeadline.now() + TimeAmount(lifetime) : nil
                send(head, content, reference, until: end.map { .init(revision: revision, end: $0) }, to: exchange)
                return
            }
        }
        exchange.perform { () async throws(MirrorError) in
            try await registry.manifest(reference, in: repository, headOnly: isHead, for: caller)
        } then: { answer in
            let content: Content =
                switch answer.content {
                case .bytes(let bytes): .bytes(exchange.allocator.buffer(bytes: bytes))
                case .file(let file): .file(file)
                case nil: .absent
                }
            send(answer.head, content, reference, until: nil, to: exchange)
        }
    }

    private static func cached(
        _ exchange: Exchange,
        _ reference: Reference,
        in repository: Repository
    ) -> (ManifestHead, Content)? {
        let isHead = exchange.isHead
        let allocator = exchange.allocator
        return exchange.server.registry.cachedManifest(reference, in: repository, for: exchange.caller) {
            head,
            content in
            switch content {
            case .bytes where isHead: return (head, .absent)
            case .bytes(let span):
                var buffer = allocator.buffer(capacity: span.count)
                span.withRawBytes { _ = buffer.writeBytes($0) }
                return (head, .bytes(buffer))
            case .file(let file): return (head, .file(file))
            case .absent: return (head, .absent)
            }
        }
    }

    private static func send(
        _ manifest: ManifestHead,
        _ content: Content,
        _ reference: Reference,
        until validity: PreparedAnswer.Validity?,
        to exchange: Exchange
    ) {
        exchange.record.outcome = manifest.outcome
        let isHeld = exchange.request.headers.nameAsHeld(manifest.digest)
        var head =
            isHeld
            ? ResponseHead(.notModified)
            : ResponseHead(.ok, contentType: manifest.mediaType, contentLength: manifest.size)
        head.describe(manifest.digest)
        if case .digest = reference { head.markImmutable() }
        if isHeld || exchange.isHead {
            if let validity, !isHeld { exchange.keep(head, ByteBuffer(), validity) }
            exchange.respond(head)
            return
        }
        switch content {
        case .bytes(let buffer):
            if let validity { exchange.keep(head, buffer, validity) }
            exchange.respond(head, buffer)
        case .file(let file):
            guard exchange.begin(head) else { return }
            FileSender.send([.file(0..<manifest.size)], of: file, to: exchange) { exchange.end() }
        case .absent:
            // The core owes content for a GET; a head with no body would break the connection's framing.
            ErrorResponder.respond(.unavailable(reason: "content_absent", retryAfter: nil), to: exchange)
        }
    }
}
