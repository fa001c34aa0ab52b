import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Answers for blobs: from the file where it is stored, along with the fetch where it is not.
enum BlobResponder {
    static func answer(_ exchange: Exchange, _ blob: KnownBlob, in repository: Repository) {
        let registry = exchange.server.registry
        let caller = exchange.caller
        let digest = blob.digest
        if let stored = exchange.loop.blobs.stored(blob, in: repository, for: caller, of: registry) {
            exchange.record.outcome = .hit
            send(stored.file, hitHead(of: blob, exchange), digest, until: stored.validity, to: exchange)
        } else if exchange.isHead {
            exchange.perform { () async throws(MirrorError) in
                try await registry.blobLength(digest, in: repository, for: caller)
            } then: { answer in
                exchange.record.outcome = answer.outcome
                answerHead(exchange, digest, length: answer.length)
            }
        } else {
            exchange.perform { () async throws(MirrorError) in
                try await registry.blob(digest, in: repository, for: caller)
            } then: { answer in
                switch answer {
                case .stored(let file, let outcome):
                    exchange.record.outcome = outcome
                    send(file, head(digest), digest, until: nil, to: exchange)
                case .growing(let blob, let outcome): send(blob, as: digest, outcome, to: exchange)
                }
            }
        }
    }

    private static func send(
        _ file: any StoredFile,
        _ common: ResponseHead,
        _ digest: Digest,
        until validity: PreparedAnswer.Validity?,
        to exchange: Exchange
    ) {
        if respondNotModified(exchange, digest) { return }
        let size = file.size
        switch selection(exchange, digest, size: size) {
        case .unsatisfiable: ErrorResponder.respondUnsatisfiable(size: size, to: exchange)
        case .whole: send(file, [.file(0..<size)], whole(common, length: size), until: validity, to: exchange)
        case .parts(let ranges) where ranges.count == 1:
            send(file, [.file(ranges[0])], part(common, ranges[0], of: size), to: exchange)
        case .parts(let ranges):
            let body = MultipartBody(ranges, of: size, allocator: exchange.allocator)
            send(file, body.segments, head(digest, body), to: exchange)
        }
    }

    private static func send(
        _ file: any StoredFile,
        _ segments: [FileSender.Segment],
        _ head: ResponseHead,
        until validity: PreparedAnswer.Validity? = nil,
        to exchange: Exchange
    ) {
        if exchange.isHead {
            if let validity { exchange.keep(head, ByteBuffer(), validity) }
            exchange.respond(head)
            return
        }
        // What is small goes out with its head, and costs no more than that.
        if case .file(let range)? = segments.first, segments.count == 1,
            range.count <= FileAccess.smallPart,
            let body = exchange.server.files.contentsAtHand(range, of: file, allocator: exchange.allocator)
        {
            if let validity { exchange.keep(head, body, validity) }
            exchange.respond(head, body)
            return
        }
        if validity != nil { exchange.keep(head, fileOf: file.size) }
        guard exchange.begin(head) else { return }
        FileSender.send(segments, of: file, to: exchange) { exchange.end() }
    }

    private static func send(
        _ blob: any GrowingBlob,
        as digest: Digest,
        _ outcome: CacheOutcome,
        to exchange: Exchange
    ) {
        exchange.record.outcome = outcome
        if respondNotModified(exchange, digest) { return }
        guard let length = blob.length else {
            sendChunked(blob, digest, to: exchange)
            return
        }
        switch selection(exchange, digest, size: length) {
        case .unsatisfiable: ErrorResponder.respondUnsatisfiable(size: length, to: exchange)
        case .parts(let ranges) where ranges.count == 1:
            let head = part(head(digest), ranges[0], of: length)
            GrowingSender.send(blob.reader(of: ranges[0]), head, to: exchange)
        case .whole, .parts:
            // Several ranges of a file that is not there yet: the whole of it is allowed as an answer.
            GrowingSender.send(blob.reader(of: 0..<length), whole(head(digest), length: length), to: exchange)
        }
    }

    /// Sends a blob whose length nothing told.
    private static func sendChunked(_ blob: any GrowingBlob, _ digest: Digest, to exchange: Exchange) {
        guard exchange.request.version == .http1_1 else {
            // HTTP/1.0 has no chunks: a body that breaks off would look complete.
            ErrorResponder.respond(.unavailable(reason: "length_unknown", retryAfter: nil), to: exchange)
            return
        }
        var head = head(digest)
        head.sendInChunks()
        GrowingSender.send(blob.reader(of: 0..<Int.max), head, to: exchange)
    }

    private static func answerHead(_ exchange: Exchange, _ digest: Digest, length: Int?) {
        if respondNotModified(exchange, digest) { return }
        switch length.map({ (selection(exchange, digest, size: $0), $0) }) {
        case (.unsatisfiable, let length)?: ErrorResponder.respondUnsatisfiable(size: length, to: exchange)
        case (.parts(let ranges), let length)? where ranges.count == 1:
            exchange.respond(part(head(digest), ranges[0], of: length))
        default: exchange.respond(whole(head(digest), length: length))
        }
    }

    private static func selection(_ exchange: Exchange, _ digest: Digest, size: Int) -> ByteRange.Selection {
        exchange.request.headers.range(of: digest)?.selection(ofSize: size) ?? .whole
    }

    private static func respondNotModified(_ exchange: Exchange, _ digest: Digest) -> Bool {
        guard exchange.request.headers.nameAsHeld(digest) else { return false }
        var head = ResponseHead(.notModified)
        head.describe(digest)
        head.markImmutable()
        exchange.respond(head)
        return true
    }

    // MARK: - Heads

    /// The head of a hit, but for what depends on the part that is sent.
    private static func hitHead(of blob: KnownBlob, _ exchange: Exchange) -> ResponseHead {
        if let head = blob.hitHead { return head }
        let head = exchange.described(head(blob.digest))
        blob.hitHead = head
        return head
    }

    /// What the heads of all answers with content of a blob have in common, but for how it is sent.
    private static func head(_ digest: Digest) -> ResponseHead {
        described(ResponseHead(.ok, contentType: MediaType.octetStream, contentLength: nil), digest)
    }

    private static func whole(_ common: ResponseHead, length: Int?) -> ResponseHead {
        common.with(.ok, contentLength: length)
    }

    private static func part(_ common: ResponseHead, _ part: Range<Int>, of size: Int) -> ResponseHead {
        var head = common.with(.partialContent, contentLength: part.count)
        head.add("Content-Range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)")
        return head
    }

    private static func head(_ digest: Digest, _ body: MultipartBody) -> ResponseHead {
        described(
            ResponseHead(.partialContent, contentType: body.contentType, contentLength: body.length),
            digest
        )
    }

    private static func described(_ head: ResponseHead, _ digest: Digest) -> ResponseHead {
        var head = head
        head.describe(digest)
        head.markImmutable()
        head.add("Accept-Ranges", "bytes")
        return head
    }
}
