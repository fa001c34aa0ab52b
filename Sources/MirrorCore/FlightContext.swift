import Logging
import OCI

/// What flights need of the rest of the core.
struct FlightContext: Sendable {
    var upstreams: [UpstreamName: any Upstream]
    var contentSources: ContentSources
    var standings: UpstreamStandings
    var policies: [UpstreamName: UpstreamPolicy]
    var store: any BlobStore
    var index: any CacheInventory
    var keeper: SpaceKeeper
    let passages = Passages()
    var ledger: any QuotaLedger
    var time: Timekeeper
    var metrics: Metrics
    var logger: Logger

    /// The registry that a source of a flight is.
    func registry(of source: FlightSource) -> (any Upstream)? {
        source.contentSource.map { contentSources[$0] } ?? upstreams[source.repository.upstream]
    }

    /// Brings the gauges of what is stored up to date.
    func publishTotals() {
        let totals = index.totals()
        metrics.set(.cacheBytes, to: totals.blobBytes)
        metrics.set(.spoolBytes, to: keeper.spooledBytes)
        metrics.set(.cacheObjects, to: totals.blobs, "blob")
        metrics.set(.cacheObjects, to: totals.manifests, "manifest")
    }
}
