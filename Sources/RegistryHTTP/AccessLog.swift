package import MirrorCore
package import NIOCore
package import NIOHTTP1
import OCI

/// What is noted of a request for the access log and the metrics.
package struct AccessRecord: Sendable {
    /// What was asked for, from a bounded set.
    package enum Kind: String, Sendable {
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
        guard let output else { return }
        let values = Values(client: caller.address, duration: duration, id: id)
        line.begin(output.format)
        compose(record, to: request.method, request.uri, output.format, &line) { variable, line in
            put(variable, of: values, &line)
        }
        output.lines.write(line.ended())
    }

    /// Notes a request that a prepared answer was sent for; who asked is for the line only, if there is one.
    package func note(
        _ answer: PreparedAnswer,
        id: String,
        caller: @autoclosure () -> Caller,
        since start: NIODeadline
    ) {
        let duration = Duration.nanoseconds((NIODeadline.now() - start).nanoseconds)
        answer.count(duration)
        guard let output, let prepared = answer.line else { return }
        let values = Values(client: caller().address, duration: duration, id: id)
        line.beginAgain(output.format)
        for part in prepared.parts {
            line.append(part.bytes)
            put(part.variable, of: values, &line)
        }
        line.append(prepared.end)
        output.lines.write(line.ended())
    }

    // MARK: - Lines

    /// What differs from one line to the next of the same answer.
    fileprivate enum Variable {
        case time
        case client
        case duration
        case id
    }

    /// The values of the variables; the time is the clock's.
    private struct Values {
        var client: String
        var duration: Duration
        var id: String
    }

    /// A line but for its variables: what comes before each, and after the last.
    package struct PreparedLine: Sendable {
        fileprivate var parts: [(bytes: [UInt8], variable: Variable)] = []
        fileprivate var end: [UInt8] = []

        /// Its memory, roughly.
        var cost: Int { end.count + parts.reduce(0) { $0 + $1.bytes.count } }
    }

    /// Prepares the line of a prepared answer; `nil` when there is no access log.
    package func prepare(_ record: AccessRecord, to method: HTTPMethod, _ target: String) -> PreparedLine? {
        guard let output else { return nil }
        var (prepared, line) = (PreparedLine(), AccessLine())
        line.begin(output.format)
        compose(record, to: method, target, output.format, &line) { variable, line in
            prepared.parts.append((line.cut(), variable))
        }
        prepared.end = line.cut()
        return prepared
    }

    private func compose(
        _ record: AccessRecord,
        to method: HTTPMethod,
        _ target: String,
        _ format: RegistryServer.AccessLogOutput.Format,
        _ line: inout AccessLine,
        _ put: (Variable, inout AccessLine) -> Void
    ) {
        if format == .text {
            put(.time, &line)
            line.beginText()
        }
        line.add("bytes", record.sentBytes)
        line.add("cache", record.cacheLabel)
        line.add("client") { put(.client, &$0) }
        line.add("duration_ms") { put(.duration, &$0) }
        if let error = record.error { line.add("error", error) }
        if format == .json {
            line.add("level", "info")
            line.add("message", "request")
        }
        line.add("method", method.rawValue)
        line.add("path", fromOutside: Self.path(of: target))
        if case .stale(let reason, _) = record.outcome { line.add("reason", reason) }
        if let repository = record.repository { line.add("repository", repository.name.text) }
        line.add("request_id") { put(.id, &$0) }
        line.add("status", record.status)
        if format == .json { line.add("time") { put(.time, &$0) } }
        if let repository = record.repository { line.add("upstream", repository.upstream.text) }
    }

    private func put(_ variable: Variable, of values: Values, _ line: inout AccessLine) {
        switch variable {
        case .time: line.append(timeOf: clock)
        case .client: line.append(values.client)
        case .duration: line.append(values.duration)
        case .id: line.append(values.id)
        }
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
