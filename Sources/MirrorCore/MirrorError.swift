/// The outcome of a pull-through that did not give content.
package enum MirrorError: Error, Hashable, Sendable {
    /// No upstream of that name is configured.
    case upstreamUnknown(String)
    case repositoryUnknown
    case manifestUnknown
    case blobUnknown
    /// The upstream does not let us read it, or does not say whether it exists.
    case denied
    /// Our own settings (`allow`, `deny`) do not let it through.
    case forbidden
    /// The upstream limits us, and nothing that could be served is held.
    case limited(Limit, retryAfter: Duration?)
    /// The upstream cannot be asked, and nothing that could be served is held.
    case unavailable(reason: String, retryAfter: Duration?)
    /// What the upstream sent does not have the digest that was asked for.
    case corrupt
    /// The answer took longer than `answer_within`; the work goes on for the next asker.
    case tooSlow
    /// The mirror is shutting down.
    case shuttingDown

    /// Which limit it is that refuses.
    package enum Limit: Hashable, Sendable {
        /// Pulls, or requests of one kind.
        case pull
        /// Requests of every kind.
        case abuse
        /// Our own, on background work: the rest of the quota is for pulls.
        case reserve
    }

    /// A name from a bounded set, for metrics and logs.
    package var label: String {
        switch self {
        case .upstreamUnknown: "upstream_unknown"
        case .repositoryUnknown: "repository_unknown"
        case .manifestUnknown: "manifest_unknown"
        case .blobUnknown: "blob_unknown"
        case .denied: "denied"
        case .forbidden: "forbidden"
        case .limited: "limited"
        case .unavailable: "unavailable"
        case .corrupt: "corrupt"
        case .tooSlow: "too_slow"
        case .shuttingDown: "shutting_down"
        }
    }
}
