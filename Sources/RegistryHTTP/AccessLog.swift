import Logging
import MirrorCore
import NIOCore
import NIOHTTP1

/// What is noted of a request for the access log and the metrics.
struct AccessRecord {
    /// What was asked for, from a bounded set.
    enum Kind: String {
        case ping
        case manifest
        case blob
        case tags
        case referrers
        case admin
        case other
    }

    var kind = Kind.other
    var repository: Repository?
    var outcome: CacheOutcome?
    /// The label of the error that was answered, or that cut the body.
    var error: String?
    var status = 0
    var sentBytes = 0
    let start = NIODeadline.now()

    /// The `cache` label: how the cache came to the answer, or `none`.
    var cacheLabel: String { outcome?.label ?? "none" }
}

/// Writes one line for each request, and counts it.
///
/// Of what the client sent only the path, without its query, goes into the log; of that nothing but bounded labels into
/// the metrics.
struct AccessLog: Sendable {
    let logger: Logger
    let metrics: Metrics

    func note(_ record: AccessRecord, of request: HTTPRequestHead, id: String, caller: Caller) {
        let duration = (NIODeadline.now() - record.start).nanoseconds
        count(record, request.method)
        metrics.requestSeconds.observe(.nanoseconds(duration), record.kind.rawValue, record.cacheLabel)
        // The metadata is not free, so it is not made for nothing.
        guard logger.logLevel <= .info else { return }
        var metadata: Logger.Metadata = [
            "method": "\(request.method)",
            "path": "\(Self.path(of: request.uri))",
            "status": "\(record.status)",
            "bytes": "\(record.sentBytes)",
            "duration_ms": "\(Double(duration / 1000) / 1000)",
            "cache": "\(record.cacheLabel)",
            "client": "\(caller.address)",
            "request_id": "\(id)",
        ]
        if let repository = record.repository {
            metadata["upstream"] = "\(repository.upstream)"
            metadata["repository"] = "\(repository.name)"
        }
        if let error = record.error { metadata["error"] = "\(error)" }
        if case .stale(let reason, _) = record.outcome { metadata["reason"] = "\(reason)" }
        logger.info("request", metadata: metadata)
    }

    private func count(_ record: AccessRecord, _ method: HTTPMethod) {
        metrics.add(
            to: .requests,
            record.repository?.upstream.text ?? "none",
            record.kind.rawValue,
            Self.label(of: method),
            "\(record.status)",
            record.cacheLabel
        )
        if record.sentBytes > 0 { metrics.add(record.sentBytes, to: .sentBytes, record.cacheLabel) }
    }

    /// The path as it was sent, but for what has no business in a log: the query, and bytes that are not printable.
    private static func path(of uri: String) -> String {
        // An absolute URI may have a password in its authority.
        guard uri.hasPrefix("/") else { return "(absolute)" }
        let path = uri.prefix { $0 != "?" }.prefix(1024)
        guard path.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return "(unprintable)" }
        return String(path)
    }

    private static func label(of method: HTTPMethod) -> String {
        switch method {
        case .GET: "GET"
        case .HEAD: "HEAD"
        default: "other"
        }
    }
}
