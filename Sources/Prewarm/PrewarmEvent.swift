package import MirrorCore

/// What is told while a run goes on, for those who watch.
package enum PrewarmEvent: Sendable {
    /// While planning: so many of the tags have been looked at.
    case lookedUp(Int, of: Int)
    /// The plan is made, and stands before its execution begins.
    case planned(PrewarmPlan)
    case began(PlannedImage.ID)
    /// The image's manifests are here, so that its bytes are known: those that are missing, and those of them that an
    /// earlier run has left.
    case sized(PlannedImage.ID, total: Int, received: Int)
    /// Not for each read, and not in order between images.
    case progress(PlannedImage.ID, received: Int)
    case ended(ImageResult)
    /// Manifest reads from an upstream wait for its quota; blobs go on meanwhile.
    case waiting(UpstreamName, until: WallTime)
    case resumed(UpstreamName)
    case finished(PrewarmReport)
}

/// Takes events, on any thread and perhaps several at once; it must not block.
package typealias PrewarmObserver = @Sendable (PrewarmEvent) -> Void
