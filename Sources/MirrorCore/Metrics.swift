import Locking

/// The process's counters, in the Prometheus text format.
///
/// The label values that callers pass come from bounded sets: configured upstreams, kinds, methods, statuses, labels of
/// errors. Never a name or a path that a client chose.
package final class Metrics: Sendable {
    /// A metric, by its name; its labels are fixed.
    package enum Family: String, CaseIterable, Sendable {
        case requests = "tidepool_requests_total"
        case sentBytes = "tidepool_sent_bytes_total"
        case upstreamRequests = "tidepool_upstream_requests_total"
        case upstreamReceivedBytes = "tidepool_upstream_received_bytes_total"
        case flights = "tidepool_flights"
        case flightFollowers = "tidepool_flight_followers_total"
        case flightResumes = "tidepool_flight_resumes_total"
        case digestMismatches = "tidepool_digest_mismatches_total"
        case cacheBytes = "tidepool_cache_bytes"
        case cacheObjects = "tidepool_cache_objects"
        case evictions = "tidepool_evictions_total"
        case staleServed = "tidepool_stale_served_total"
        case upstreamUp = "tidepool_upstream_up"
        case quotaLimit = "tidepool_quota_limit"
        case quotaRemaining = "tidepool_quota_remaining"
        case quotaSpent = "tidepool_quota_spent_total"
        case credentialsRefused = "tidepool_upstream_credentials_refused"
        case damaged = "tidepool_damaged_total"
        case passthrough = "tidepool_passthrough_total"
        case spoolBytes = "tidepool_spool_bytes"
        case cacheLimit = "tidepool_cache_limit_bytes"

        fileprivate var help: String {
            switch self {
            case .requests: "Requests answered."
            case .sentBytes: "Body bytes sent to clients."
            case .upstreamRequests: "Requests made to upstreams, token servers and redirect targets included."
            case .upstreamReceivedBytes: "Body bytes received from upstreams."
            case .flights: "Blobs being fetched now."
            case .flightFollowers: "Requests that joined a fetch which another had started."
            case .flightResumes: "Transfers that broke and went on from the last byte."
            case .digestMismatches: "Answers whose bytes did not have the digest that was asked for."
            case .cacheBytes: "Bytes of stored blobs."
            case .cacheObjects: "Stored objects."
            case .evictions: "Objects given up to make room."
            case .staleServed: "Tags and lists served without confirmation because the upstream could not be asked."
            case .upstreamUp: "Whether the last request to the upstream was answered (1) or not (0)."
            case .quotaLimit: "Manifest reads that the upstream grants in a window."
            case .quotaRemaining: "Manifest reads that are left in the present window."
            case .quotaSpent: "Manifest reads charged to the quota since the first start, restarts included."
            case .credentialsRefused: "Whether the upstream refuses the configured credentials (1) or not (0)."
            case .damaged: "Stored objects that were found missing, short, unreadable or with another digest."
            case .passthrough: "Blob answers that were passed through, because there was no room for the blob."
            case .spoolBytes: "Bytes of blobs that are being fetched or wait to be."
            case .cacheLimit: "The bound on stored blobs and those being fetched, together."
            }
        }

        fileprivate var isGauge: Bool {
            switch self {
            case .flights, .cacheBytes, .cacheObjects, .upstreamUp, .quotaLimit, .quotaRemaining, .credentialsRefused,
                .spoolBytes, .cacheLimit:
                true
            default: false
            }
        }

        fileprivate var labels: [String] {
            switch self {
            case .requests: ["upstream", "kind", "method", "status", "cache"]
            case .sentBytes: ["cache"]
            case .upstreamRequests: ["upstream", "kind", "status"]
            case .upstreamReceivedBytes, .upstreamUp, .credentialsRefused, .passthrough: ["upstream"]
            case .flights, .flightFollowers, .flightResumes, .digestMismatches, .cacheBytes, .spoolBytes,
                .cacheLimit:
                []
            case .cacheObjects, .evictions, .damaged: ["kind"]
            case .staleServed: ["upstream", "reason"]
            case .quotaLimit, .quotaRemaining: ["upstream", "account"]
            case .quotaSpent: ["upstream", "purpose"]
            }
        }
    }

    private struct Series: Hashable {
        var family: Family
        var values: [String]
    }

    private let series = Locked<[Series: Counter]>([:])
    /// From a request's head to the end of its response.
    package let requestSeconds = Histogram(
        name: "tidepool_request_seconds",
        help: "Seconds from a request's head to the end of its response.",
        labels: ("kind", "cache")
    )

    package init() {}

    /// Adds to a counter or a gauge.
    ///
    /// `labels` are the values, in the family's order.
    package func add(_ amount: Int = 1, to family: Family, _ labels: String...) {
        counter(of: Series(family: family, values: labels)).add(amount)
    }

    /// The counter of one series, to be kept by whoever adds to it often; no gauge that may be taken away.
    package func counter(of family: Family, _ labels: String...) -> Counter {
        counter(of: Series(family: family, values: labels))
    }

    private func counter(of key: Series) -> Counter {
        series.withLock { series in
            if let counter = series[key] { return counter }
            let counter = Counter(0)
            series[key] = counter
            return counter
        }
    }

    /// Sets a gauge.
    package func set(_ family: Family, to value: Int, _ labels: String...) {
        counter(of: Series(family: family, values: labels)).set(to: value)
    }

    /// Takes a gauge away, since what it measured is no more.
    package func remove(_ family: Family, _ labels: String...) {
        series.withLock { $0[Series(family: family, values: labels)] = nil }
    }

    /// The value of one series, for tests.
    package func value(of family: Family, _ labels: String...) -> Int {
        series.withLock { $0[Series(family: family, values: labels)]?.value ?? 0 }
    }

    /// Everything, in the text format, families in declaration order (histograms last) and series sorted.
    package func text() -> String {
        let snapshot = series.withLock { $0 }
        var text = ""
        for family in Family.allCases {
            text += "# HELP \(family.rawValue) \(family.help)\n"
            text += "# TYPE \(family.rawValue) \(family.isGauge ? "gauge" : "counter")\n"
            let lines = snapshot.filter { $0.key.family == family }
                .map { series, counter in "\(family.rawValue)\(Self.labels(of: series)) \(counter.value)\n" }
            text += lines.sorted().joined()
        }
        return text + requestSeconds.text()
    }

    private static func labels(of series: Series) -> String {
        guard !series.values.isEmpty else { return "" }
        let pairs = zip(series.family.labels, series.values).map { "\($0)=\"\(escaped($1))\"" }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    /// Escapes as the text format wants it: backslash, quote and newline.
    private static func escaped(_ value: String) -> String {
        var result = ""
        for character in value {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return result
    }
}
