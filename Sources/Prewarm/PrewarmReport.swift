package import MirrorCore

/// What came of a run.
package struct PrewarmReport: Sendable {
    /// In the order in which they were worked on; every image of the plan is in it.
    package var images: [ImageResult]
    /// Why mappings were not followed at all, in the order of the file.
    package var failures: [FailedMapping]
    /// Tags that could not be looked up.
    package var failedTags: [FailedTag]
    /// Why it ended early; `nil` when nothing was left out.
    package var stop: StopReason?
    /// What is left for the next run.
    package var left: Price
    /// At the end, by upstream.
    package var quotas: [UpstreamName: WarmQuota]
    package var duration: Duration
    package var warnings: [String]

    /// Reads that cost quota.
    package var manifestReads: Int { images.reduce(0) { $0 + $1.manifestReads } }
    /// Bytes that were fetched.
    package var bytes: Int { images.reduce(0) { $0 + $1.bytes } }

    package func count(_ status: ImageResult.Status) -> Int { images.count { $0.status == status } }
}

/// What came of an image.
package struct ImageResult: Sendable {
    package var image: PlannedImage
    package var status: Status
    package var manifestReads = 0
    package var bytes = 0
    package var duration = Duration.zero
    /// Why it failed, or why its referrers did not come.
    package var problem: String?

    package enum Status: String, Sendable, CaseIterable {
        /// It was there before.
        case cached
        case fetched
        case failed
        /// The run ended before it was complete; what came of it stays.
        case left
    }
}

/// A mapping that was not followed.
package struct FailedMapping: Hashable, Sendable {
    package var from: String
    package var failure: MappingFailure
}

/// A tag of which it could not be found out what it names.
package struct FailedTag: Hashable, Sendable {
    package var from: String
    package var tag: String
    package var problem: String
}

/// Why a run ended before everything was there.
package enum StopReason: Hashable, Sendable {
    /// `--budget` is spent.
    case budget
    /// What is left of the quota is for pulls, or nothing is; when more comes, as far as can be told.
    case quota(resetsAt: WallTime?)
    case interrupted
}
