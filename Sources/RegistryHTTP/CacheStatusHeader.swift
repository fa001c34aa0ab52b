package import MirrorCore

extension CacheOutcome {
    /// The `Cache-Status` field's value (RFC 9211).
    var cacheStatus: String {
        switch self {
        case .hit: "tidepool; hit"
        case .stale: "tidepool; hit; detail=stale"
        case .miss: "tidepool; fwd=miss; stored"
        case .passed: "tidepool; fwd=miss"
        case .collapsed: "tidepool; fwd=miss; collapsed"
        case .revalidated: "tidepool; fwd=stale; fwd-status=200; detail=revalidated"
        }
    }

    /// The `cache` label of the metrics.
    var label: String {
        switch self {
        case .hit: "hit"
        case .stale: "stale"
        case .miss: "miss"
        case .passed: "passed"
        case .collapsed: "collapsed"
        case .revalidated: "revalidated"
        }
    }
}

extension ResponseHead {
    /// Says how the cache came to this answer.
    ///
    /// Registry clients show warnings of code 299 only (distribution-spec, "Warnings"); 110 is what HTTP caches mean.
    package mutating func add(_ outcome: CacheOutcome) {
        add("Cache-Status", outcome.cacheStatus)
        guard case .stale(_, let checkedAt) = outcome else { return }
        add("Warning", "110 - \"Response is Stale\"")
        add("Warning", "299 - \"tidepool: stale, last checked \(HTTPTime.text(of: checkedAt))\"")
    }
}
