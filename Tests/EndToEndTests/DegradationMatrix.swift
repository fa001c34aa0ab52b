import Testing

/// What clients get when an upstream fails, for each way of failing and each state of the cache.
///
/// The one table: `docs/degradation.md` shows it, and ``DegradationTests`` plays every cell.
enum DegradationMatrix {
    /// The ways in which an upstream fails, and the answers that are no failures but feel like one.
    enum Failure: String, CaseIterable, Sendable {
        case dns = "the name does not resolve"
        case refused = "the connection is refused"
        case timeout = "no answer in `timeouts.head`"
        case tls = "a certificate that is not trusted"
        case tokenServer = "the token server is down"
        case credentials = "our own credentials are refused"
        case unauthorized = "401, to a token that it issued"
        case forbidden = "403"
        case notFound = "404"
        case pullLimit = "429, pull limit"
        case pullLimitOnHeads = "429, pull limit, HEADs too"
        case abuseLimit = "429, abuse limit"
        case serverError = "5xx"
        case truncated = "bodies are cut short"
        case wrongDigest = "bodies have another digest"

        /// Whether the requests reach the registry, so that it can count them.
        var reachesRegistry: Bool {
            switch self {
            case .dns, .refused, .tls, .tokenServer, .credentials: false
            default: true
            }
        }
    }

    /// What is asked for, and what of it is in the cache.
    enum Subject: String, CaseIterable, Sendable {
        /// Checked within `tag_ttl`.
        case freshTag = "tag, fresh"
        /// Checked longer ago; the upstream has moved it since.
        case staleTag = "tag, cached, `tag_ttl` over"
        case absentTag = "tag, not cached"
        case cachedDigest = "manifest by digest, cached"
        case absentDigest = "manifest by digest, not cached"
        case cachedBlob = "blob, cached"
        case absentBlob = "blob, not cached"

        var isCached: Bool { self == .freshTag || self == .cachedDigest || self == .cachedBlob }
        var isBlob: Bool { self == .cachedBlob || self == .absentBlob }
    }

    /// What the client gets.
    enum Outcome: Hashable, Sendable {
        /// 200, `Cache-Status: tidepool; hit`, no `Warning`.
        case hit
        /// 200, `Cache-Status: tidepool; hit; detail=stale`, `Warning` 110 and 299.
        case stale
        /// 200 from the upstream, which is no worse for this.
        case fetched
        /// The error envelope with this code; with a 503 a small `Retry-After`.
        case error(Int, String)
        /// 200, and the connection is cut before the last byte: never a complete body.
        case cut
    }

    /// An outcome, and how many requests it may cost upstream (challenges and token requests not counted).
    struct Expectation: Hashable, Sendable {
        let outcome: Outcome
        let requests: Int
    }

    struct Cell: Hashable, Sendable {
        let failure: Failure
        let subject: Subject

        var expected: Expectation { expectation(of: failure, subject) }
    }

    private struct Row {
        let failure: Failure
        let staleTag: Expectation
        let absentTag: Expectation
        let absentDigest: Expectation
        let absentBlob: Expectation

        init(
            _ failure: Failure,
            staleTag: (Outcome, Int),
            absentTag: (Outcome, Int),
            absentDigest: (Outcome, Int),
            absentBlob: (Outcome, Int)
        ) {
            self.failure = failure
            self.staleTag = Expectation(outcome: staleTag.0, requests: staleTag.1)
            self.absentTag = Expectation(outcome: absentTag.0, requests: absentTag.1)
            self.absentDigest = Expectation(outcome: absentDigest.0, requests: absentDigest.1)
            self.absentBlob = Expectation(outcome: absentBlob.0, requests: absentBlob.1)
        }

        /// A failure in which no question gets an answer.
        static func outage(_ failure: Failure, attempts: Int = 1) -> Row {
            Row(
                failure,
                staleTag: (.stale, attempts),
                absentTag: (.unavailable, attempts),
                absentDigest: (.unavailable, attempts),
                // With `retries: 1`.
                absentBlob: (.unavailable, min(2, 2 * attempts))
            )
        }

        static func denial(_ failure: Failure) -> Row {
            Row(
                failure,
                staleTag: (.denied, 1),
                absentTag: (.denied, 1),
                absentDigest: (.denied, 1),
                absentBlob: (.denied, 1)
            )
        }
    }

    private static let rows: [Row] = [
        .outage(.dns),
        .outage(.refused),
        .outage(.timeout),
        .outage(.tls),
        // The registry is asked nothing but its challenge.
        .outage(.tokenServer, attempts: 0),
        .outage(.credentials, attempts: 0),
        .denial(.unauthorized),
        .denial(.forbidden),
        Row(
            .notFound,
            staleTag: (.error(404, "MANIFEST_UNKNOWN"), 1),
            absentTag: (.error(404, "MANIFEST_UNKNOWN"), 1),
            absentDigest: (.error(404, "MANIFEST_UNKNOWN"), 1),
            absentBlob: (.error(404, "BLOB_UNKNOWN"), 1)
        ),
        // The HEAD is answered, and tells of a manifest that cannot be had now.
        Row(
            .pullLimit,
            staleTag: (.stale, 2),
            absentTag: (.limited, 2),
            absentDigest: (.limited, 2),
            absentBlob: (.fetched, 2)
        ),
        Row(
            .pullLimitOnHeads,
            staleTag: (.stale, 1),
            absentTag: (.limited, 1),
            absentDigest: (.limited, 2),
            absentBlob: (.fetched, 2)
        ),
        Row(
            .abuseLimit,
            staleTag: (.stale, 1),
            absentTag: (.limited, 1),
            absentDigest: (.limited, 1),
            absentBlob: (.limited, 1)
        ),
        // Asked once more.
        .outage(.serverError, attempts: 2),
        // Asked for once more. Blobs go on with `Range` from the last byte, `retries` times.
        Row(
            .truncated,
            staleTag: (.stale, 3),
            absentTag: (.unavailable, 3),
            absentDigest: (.unavailable, 3),
            absentBlob: (.cut, 4)
        ),
        Row(
            .wrongDigest,
            staleTag: (.stale, 3),
            absentTag: (.error(502, "UNKNOWN"), 3),
            absentDigest: (.error(502, "UNKNOWN"), 3),
            absentBlob: (.cut, 4)
        ),
    ]

    static func expectation(of failure: Failure, _ subject: Subject) -> Expectation {
        guard !subject.isCached, let row = rows.first(where: { $0.failure == failure }) else {
            return Expectation(outcome: .hit, requests: 0)
        }
        return switch subject {
        case .freshTag, .cachedDigest, .cachedBlob: Expectation(outcome: .hit, requests: 0)
        case .staleTag: row.staleTag
        case .absentTag: row.absentTag
        case .absentDigest: row.absentDigest
        case .absentBlob: row.absentBlob
        }
    }

    static let cells = Failure.allCases.flatMap { failure in
        Subject.allCases.map { Cell(failure: failure, subject: $0) }
    }
}

extension DegradationMatrix.Outcome {
    static let unavailable = Self.error(503, "UNAVAILABLE")
    /// By default; `when_exhausted: 429` makes it a 429.
    static let limited = Self.error(503, "TOOMANYREQUESTS")
    static let denied = Self.error(403, "DENIED")
}

extension DegradationMatrix.Cell: CustomTestStringConvertible {
    var testDescription: String { "\(failure.rawValue); \(subject.rawValue)" }

    /// A name for a repository.
    var name: String { "\(failure)-\(subject)".lowercased() }
}
