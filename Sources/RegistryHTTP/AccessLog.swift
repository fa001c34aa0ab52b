package import MirrorCore
package import NIOCore
package import NIOHTTP1
import OCI

/// What is noted of a request for the access log and the metrics.
package struct AccessRecord {
    /// What was asked for, from a bounded set.
    package enum Kind: String {
        case ping
        case manifest
        case blob
        case tags
        case referrers
        case admin
        case other
    }

    package var kind = Kind.other
    package var repository: Repository?
    package var outcome: CacheOutcome?
    /// The label of the error that was answered, or that cut the body.
    var error: String?
    package var status = 0
    var sentBytes = 0
    var start = NIODeadline.now()

    package init() {}

    /// The `cache` label: how the cache came to the answer, or `none`.
    var cacheLabel: String { outcome?.label ?? "none" }
}

/// Where the lines of the access log go.
package protocol AccessLines: Sendable {
    /// Takes one line, with its end; never waits.
    func write(_ line: [UInt8])
}

extension RegistryServer {
    /// How the access log is written.
    package struct AccessLogOutput: Sendable {
        package enum Format: Hashable, Sendable {
            case text
            case json
        }

        package var format: Format
        package var lines: any AccessLines

        package init(_ format: Format, to lines: any AccessLines) {
            self.format = format
            self.lines = lines
        }
    }
}

/// Writes one line for each request, and counts it.
///
/// Of what the client sent only the path, without its query, goes into the log; of that nothing but bounded labels into
/// the metrics. The lines look like those of the other log, and are made without its dictionaries: there is one for each
/// hit. Confined to one thread.
package final class AccessLog {
    private let output: RegistryServer.AccessLogOutput?
    private let metrics: Metrics
    private let clock: LoopClock
    private var line = AccessLine()

    package init(_ output: RegistryServer.AccessLogOutput?, metrics: Metrics, clock: LoopClock) {
        self.output = output
        self.metrics = metrics
        self.clock = clock
    }

    /// Notes a request whose response has ended, one way or another.
    func note(_ record: AccessRecord, of request: HTTPRequestHead, id: String, caller: Caller) {
        let duration = Duration.nanoseconds((NIODeadline.now() - record.start).nanoseconds)
        metrics.requests(record, request.method).add()
        if record.sentBytes > 0 { metrics.add(record.sentBytes, to: .sentBytes, record.cacheLabel) }
        metrics.requestSeconds.observe(duration, record.kind.rawValue, record.cacheLabel)
        write(record, to: request.method, request.uri, id: id, caller: caller, duration)
    }

    /// Notes a request that a prepared answer was sent for; who asked is for the line only, if there is one.
    package func note(
        _ answer: PreparedAnswer,
        to method: HTTPMethod,
        _ target: String,
        id: String,
        caller: @autoclosure () -> Caller,
        since start: NIODeadline
    ) {
        let duration = Duration.nanoseconds((NIODeadline.now() - start).nanoseconds)
        answer.count(duration)
        guard output != nil else { return }
        var record = answer.record
        record.sentBytes = answer.bodySize
        write(record, to: method, target, id: id, caller: caller(), duration)
    }

    private func write(
        _ record: AccessRecord,
        to method: HTTPMethod,
        _ target: String,
        id: String,
        caller: Caller,
        _ duration: Duration
    ) {
        guard let output else { return }
        line.begin(output.format)
        if output.format == .text { line.beginText(at: clock) }
        line.add("bytes", record.sentBytes)
        line.add("cache", record.cacheLabel)
        line.add("client", caller.address)
        line.add("duration_ms", milliseconds: duration)
        if let error = record.error { line.add("error", error) }
        if output.format == .json {
            line.add("level", "info")
            line.add("message", "request")
        }
        line.add("method", method.rawValue)
        line.add("path", fromOutside: Self.path(of: target))
        if case .stale(let reason, _) = record.outcome { line.add("reason", reason) }
        if let repository = record.repository { line.add("repository", repository.name.text) }
        line.add("request_id", id)
        line.add("status", record.status)
        if output.format == .json { line.addTime(clock) }
        if let repository = record.repository { line.add("upstream", repository.upstream.text) }
        output.lines.write(line.ended())
    }

    /// The path as it was sent, but for what has no business in a log: the query, and bytes that are not printable.
    private static func path(of uri: String) -> Substring {
        // An absolute URI may have a password in its authority.
        guard uri.utf8.first == UInt8(ascii: "/") else { return "(absolute)" }
        // Of the bytes: to find where characters begin and end takes longer than all the rest of the line.
        let path = uri.utf8.prefix { $0 != UInt8(ascii: "?") }.prefix(1024)
        return path.allSatisfy { (0x21...0x7e).contains($0) } ? Substring(path) : "(unprintable)"
    }
}

extension Metrics {
    /// The counter of requests like this one.
    func requests(_ record: AccessRecord, _ method: HTTPMethod) -> Counter {
        let method =
            switch method {
            case .GET: "GET"
            case .HEAD: "HEAD"
            default: "other"
            }
        return counter(
            of: .requests,
            record.repository?.upstream.text ?? "none",
            record.kind.rawValue,
            method,
            "\(record.status)",
            record.cacheLabel
        )
    }
}
