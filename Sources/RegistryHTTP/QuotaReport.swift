package import FoundationEssentials
package import MirrorCore

/// The document of `/-/api/quota`, which `tidepool quota --json` prints as it is.
///
/// Every key is always there; what is not known is `null`. Keys may be added.
package struct QuotaReport: Codable, Hashable, Sendable {
    package var upstreams: [Entry]

    package struct Entry: Codable, Hashable, Sendable {
        /// The canonical name: `docker.io`.
        package var upstream: String
        /// The user name that quota is counted for, or `anonymous`.
        package var account: String?
        package var state: State
        package var limit: Int?
        package var remaining: Int?
        package var windowSeconds: Int?
        /// When quota is back; JSON has it in RFC 3339, UTC.
        package var resetsAt: Date?
        /// What the registry says it charges: an address or an account.
        package var source: String?
        package var spent: Spent
        /// When the registry last said so.
        package var observedAt: Date?
        /// Why the registry could not be asked: the label of an error.
        package var error: String?
    }

    /// What can be said in a word.
    package enum State: String, Codable, Sendable {
        case limited
        case exhausted
        case unlimited
        case unknown
    }

    /// Manifest reads in the present window, by purpose.
    package struct Spent: Codable, Hashable, Sendable {
        package var pull = 0
        package var prewarm = 0
        package var refresh = 0
    }
}

extension QuotaReport {
    package init(_ quotas: [UpstreamQuota]) {
        upstreams = quotas.map(Entry.init)
    }

    /// Reads what ``json`` wrote.
    package init(json: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        self = try decoder.decode(Self.self, from: Data(json))
    }

    /// The document, its keys in a fixed order, with a newline at its end.
    package var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Strings, whole numbers and dates always encode.
        return ((try? encoder.encode(self)).map(Array.init) ?? []) + [UInt8(ascii: "\n")]
    }
}

extension QuotaReport.Entry {
    init(_ quota: UpstreamQuota) {
        let status = quota.status
        upstream = quota.upstream.text
        account = status?.account.account
        state = .init(status)
        limit = status?.limit
        remaining = status?.remaining
        windowSeconds = (status?.window?.components.seconds).map { Int($0) }
        resetsAt = status?.resetsAt.map(Date.init)
        source = status?.source
        spent = QuotaReport.Spent(
            pull: status?.spent[.pull] ?? 0,
            prewarm: status?.spent[.prewarm] ?? 0,
            refresh: status?.spent[.refresh] ?? 0
        )
        observedAt = status?.observedAt.map(Date.init)
        error = quota.problem
    }

    private enum CodingKeys: String, CodingKey {
        case upstream, account, state, limit, remaining, source, spent, error
        case windowSeconds = "window_seconds"
        case resetsAt = "resets_at"
        case observedAt = "observed_at"
    }

    /// Not the synthesised one, which leaves out what is `nil`.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(upstream, forKey: .upstream)
        try container.encode(account, forKey: .account)
        try container.encode(state, forKey: .state)
        try container.encode(limit, forKey: .limit)
        try container.encode(remaining, forKey: .remaining)
        try container.encode(windowSeconds, forKey: .windowSeconds)
        try container.encode(resetsAt, forKey: .resetsAt)
        try container.encode(source, forKey: .source)
        try container.encode(spent, forKey: .spent)
        try container.encode(observedAt, forKey: .observedAt)
        try container.encode(error, forKey: .error)
    }
}

extension QuotaReport.State {
    fileprivate init(_ status: QuotaStatus?) {
        guard let status else {
            self = .unknown
            return
        }
        self =
            switch (status.limit, status.remaining) {
            case (_, 0?): .exhausted
            case (nil, nil): status.observedAt == nil ? .unknown : .unlimited
            default: .limited
            }
    }
}

extension Date {
    fileprivate init(_ time: WallTime) {
        // Whole seconds: more is not told, and would not survive being written and read again.
        self.init(timeIntervalSince1970: Double(time.milliseconds / 1000))
    }
}
