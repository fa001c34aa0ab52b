/// What an upstream's failure means to the one who asked.
extension MirrorError {
    /// `missing` is what a 404 means for the kind of thing that was asked for.
    package init(_ error: UpstreamError, missing: MirrorError) {
        self =
            switch error {
            case .notFound: missing
            case .denied: .denied
            case .pullLimited(let wait): .limited(.pull, retryAfter: wait)
            case .abuseLimited(let wait): .limited(.abuse, retryAfter: wait)
            case .reserved(let wait): .limited(.reserve, retryAfter: wait)
            case .unavailable(.circuitOpen(let wait)): .unavailable(reason: error.label, retryAfter: wait)
            case .cancelled: .shuttingDown
            case .credentialsRefused, .headUnsupported, .unavailable, .unusable, .refusedBySink:
                .unavailable(reason: error.label, retryAfter: nil)
            }
    }

    /// Whether upstream could not be asked, rather than has answered.
    var isOutage: Bool { StaleReason(self) != nil }

    /// Our own disk, or the index on it, does not do its part.
    static let storageFailed = MirrorError.unavailable(reason: "storage", retryAfter: nil)

    /// A failure of our own disk.
    init(storage error: StoreError) {
        switch error {
        case .full: self = .unavailable(reason: "disk_full", retryAfter: nil)
        case .failed, .doubtful: self = .storageFailed
        }
    }
}

extension UpstreamError {
    /// Whether the upstream could not be asked, so that what is held may be served as stale: DESIGN rule 10.
    ///
    /// Our own credentials being refused is our fault, and an outage to the clients.
    var isOutage: Bool { StaleReason(self) != nil }
}
