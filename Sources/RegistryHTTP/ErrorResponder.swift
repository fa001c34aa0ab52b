import MirrorCore
import NIOCore
import NIOHTTP1
import OCI
import Posix

/// Turns what went wrong into HTTP.
///
/// The only place that builds error responses: an OCI envelope, never an upstream's challenge.
///
/// | error | status | code |
/// |---|---|---|
/// | unknown upstream, repository | 404 | `NAME_UNKNOWN` |
/// | unknown manifest, blob | 404 | `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN` |
/// | denied, forbidden | 403 | `DENIED` |
/// | limited | 503 or 429 | `TOOMANYREQUESTS` |
/// | unavailable, too slow, shutting down | 503 | `UNAVAILABLE` |
/// | corrupt | 502 | `UNKNOWN` |
enum ErrorResponder {
    static func respond(_ error: MirrorError, to exchange: Exchange) {
        let upstream = exchange.record.repository?.upstream
        let answer = Answer(error, of: upstream, whenExhausted: exchange.server.options.whenExhausted)
        if case .shuttingDown = error { exchange.mustClose = true }
        respond(answer, label: error.label, to: exchange)
    }

    static func respond(_ error: RouteError, to exchange: Exchange) {
        respond(Answer(error), label: error.label, to: exchange)
    }

    static func respond(
        status: HTTPResponseStatus,
        code: ErrorCode,
        message: String,
        label: String,
        to exchange: Exchange
    ) {
        respond(Answer(status, code, message), label: label, to: exchange)
    }

    /// 416: the range lies outside of the blob.
    static func respondUnsatisfiable(size: Int, to exchange: Exchange) {
        var answer = Answer(code: .rangeInvalid)
        answer.contentRange = "bytes */\(size)"
        respond(answer, label: "range", to: exchange)
    }

    private static func respond(_ answer: Answer, label: String, to exchange: Exchange) {
        let body = ErrorEnvelope(answer.code, message: answer.message, detail: answer.detail).bytes
        var head = ResponseHead(answer.status, contentType: MediaType.json, contentLength: body.count)
        if answer.status == .methodNotAllowed { head.add("Allow", "GET, HEAD") }
        if let retryAfter = answer.retryAfter { head.add("Retry-After", "\(seconds(retryAfter))") }
        if let contentRange = answer.contentRange { head.add("Content-Range", contentRange) }
        exchange.record.error = label
        exchange.respond(head, exchange.allocator.buffer(bytes: body))
    }

    /// Whole and small: some clients sleep for whatever they are told (PROTOCOL A7).
    private static func seconds(_ duration: Duration) -> Int64 {
        let (seconds, rest) = duration.components
        return min(max(rest > 0 ? seconds + 1 : seconds, 1), 60)
    }
}

private struct Answer {
    var status: HTTPResponseStatus
    var code: ErrorCode
    var message: String?
    var detail: [String: String]?
    var retryAfter: Duration?
    var contentRange: String?

    init(_ status: HTTPResponseStatus, _ code: ErrorCode, _ message: String?) {
        self.status = status
        self.code = code
        self.message = message
    }

    init(code: ErrorCode, _ message: String? = nil) {
        self.init(HTTPResponseStatus(statusCode: code.status), code, message)
    }

    init(_ error: MirrorError, of upstream: UpstreamName?, whenExhausted: RegistryServer.ExhaustedStatus) {
        switch error {
        case .upstreamUnknown(let name):
            self.init(
                code: .nameUnknown,
                "the registry \(name) is not mirrored here; add \"\(name): {}\" under \"upstreams:\" in the settings"
            )
        case .repositoryUnknown: self.init(code: .nameUnknown)
        case .manifestUnknown: self.init(code: .manifestUnknown)
        case .blobUnknown: self.init(code: .blobUnknown)
        case .denied: self.init(code: .denied)
        case .forbidden: self.init(code: .denied, "this mirror is not configured to serve the repository")
        case .limited(let limit, let retryAfter):
            let status: HTTPResponseStatus =
                whenExhausted == .tooManyRequests ? .tooManyRequests : .serviceUnavailable
            self.init(status, .tooManyRequests, Self.limitMessage(limit, upstream, retryAfter))
            self.retryAfter = retryAfter ?? .seconds(60)
        case .unavailable(let reason, let retryAfter):
            self.init(code: .unavailable, "\(Self.name(upstream)) cannot be asked now, and this is not cached")
            detail = ["reason": reason]
            self.retryAfter = retryAfter ?? .seconds(5)
        case .corrupt:
            self.init(.badGateway, .unknown, "the upstream registry sent content that does not have its digest")
        case .tooSlow:
            self.init(code: .unavailable, "the upstream registry is slow; the mirror goes on fetching")
            retryAfter = .seconds(2)
        case .shuttingDown:
            self.init(code: .unavailable, "the mirror is shutting down")
            retryAfter = .seconds(1)
        }
    }

    /// Names the time, since what clients are told to wait (`Retry-After`) is bounded far below it.
    private static func limitMessage(
        _ limit: MirrorError.Limit,
        _ upstream: UpstreamName?,
        _ retryAfter: Duration?
    ) -> String {
        let fact =
            switch limit {
            case .pull: "\(name(upstream))'s limit for this mirror is used up, and this is not cached"
            case .abuse: "\(name(upstream)) refuses this mirror's requests for a while, and this is not cached"
            case .reserve: "what is left of \(name(upstream))'s limit is reserved for pulls, and this is not cached"
            }
        guard let retryAfter else { return "\(fact); tidepool quota shows it" }
        let seconds = min(retryAfter.components.seconds, 366 * 86400)
        let back = WallTime(milliseconds: WallClock.milliseconds + seconds * 1000)
        return "\(fact); it is expected back at \(HTTPTime.minute(of: back)); tidepool quota shows it"
    }

    private static func name(_ upstream: UpstreamName?) -> String {
        guard let upstream else { return "the upstream registry" }
        return upstream == .dockerHub ? "Docker Hub" : upstream.text
    }

    init(_ error: RouteError) {
        switch error {
        case .malformed: self.init(.badRequest, .unsupported, "the request target is not valid")
        case .notFound: self.init(.notFound, .unsupported, "there is no such endpoint")
        case .nameInvalid: self.init(code: .nameInvalid)
        case .digestInvalid: self.init(code: .digestInvalid)
        case .tagInvalid: self.init(code: .manifestUnknown)
        case .pageSizeInvalid: self.init(code: .paginationNumberInvalid)
        }
    }
}
