/// Why something is served that could not be confirmed: the `reason` of `tidepool_stale_served_total`.
///
/// A closed set, so that the metric's labels are bounded by the type.
enum StaleReason: String, Hashable, Sendable, CaseIterable {
    case dns
    case refused
    case timeout
    case tls
    case truncated
    case status
    case queue
    /// The upstream failed again and again, and was not waited for.
    case circuitOpen = "circuit_open"
    /// Quota is used up, or manifest reads are limited.
    case pullLimit = "pull_limit"
    case abuseLimit = "abuse_limit"
    /// Background work would have touched what is reserved for pulls.
    case reserved
    case credentialsRefused = "credentials_refused"
    /// The answer breaks a bound or the protocol.
    case unusable
    /// The content does not have its digest.
    case corrupt
    /// Our own disk failed.
    case storage
    /// Upstream says that it is not there, and `on_upstream_gone` is `serve`.
    case gone
    /// Upstream refuses access, within `denied_grace`.
    case denied

    /// The reason that an upstream's failure is, if the upstream could not be asked rather than has answered.
    init?(_ error: UpstreamError) {
        switch error {
        case .notFound, .denied, .headUnsupported, .refusedBySink, .cancelled: return nil
        case .credentialsRefused: self = .credentialsRefused
        case .pullLimited: self = .pullLimit
        case .abuseLimited: self = .abuseLimit
        case .reserved: self = .reserved
        case .unusable: self = .unusable
        case .unavailable(let outage): self.init(outage)
        }
    }

    private init(_ outage: UpstreamError.Outage) {
        switch outage {
        case .dns: self = .dns
        case .refused: self = .refused
        case .timeout: self = .timeout
        case .tls: self = .tls
        case .truncated: self = .truncated
        case .status: self = .status
        case .queue: self = .queue
        case .circuitOpen: self = .circuitOpen
        }
    }

    /// The same for what a read came to.
    init?(_ error: MirrorError) {
        switch error {
        case .limited(.pull, _): self = .pullLimit
        case .limited(.abuse, _): self = .abuseLimit
        case .limited(.reserve, _): self = .reserved
        case .tooSlow: self = .timeout
        case .corrupt: self = .corrupt
        case .unavailable(let reason, _): self = StaleReason(rawValue: reason) ?? .storage
        case .upstreamUnknown, .repositoryUnknown, .manifestUnknown, .blobUnknown, .denied, .forbidden, .shuttingDown:
            return nil
        }
    }
}
