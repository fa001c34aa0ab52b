import MirrorCore
import Prewarm

/// What is known of a run while it goes on: a state without a clock, for whoever draws it.
///
/// Times are durations since the run began.
struct PrewarmProgress {
    private(set) var images: [Image] = []
    /// How many images there are to fetch, and how many of them have ended.
    private(set) var total = 0
    private(set) var ended = 0
    /// While the plan is made: tags that have been looked at, and all of them.
    private(set) var lookedUp: (done: Int, total: Int)?
    /// Upstreams whose quota is waited for.
    private(set) var waiting: [UpstreamName: WallTime] = [:]
    private(set) var meter = RateMeter()
    /// What came of images that have ended.
    private(set) var manifestReads = 0
    private var endedBytes = 0

    /// An image on its way.
    struct Image {
        var id: PlannedImage.ID
        var name: String
        /// The bytes that were missing, with what an earlier run has left of them; `nil` until the manifests are here.
        var total: Int?
        var received = 0
        /// What an earlier run has left.
        var earlier = 0
        var meter = RateMeter()
    }

    /// Bytes fetched in this run.
    var bytes: Int { endedBytes + images.reduce(0) { $0 + max(0, $1.received - $1.earlier) } }

    mutating func take(_ event: PrewarmEvent, at time: Duration) {
        switch event {
        case .lookedUp(let done, let total): lookedUp = (done, total)
        case .planned(let plan):
            lookedUp = nil
            names = Dictionary(plan.images.map { ($0.id, ImageSheet.shortName($0.name)) }) { first, _ in first }
            total = plan.images.count { !$0.isCached }
        case .began(let id):
            images.append(Image(id: id, name: names[id] ?? "\(id.repository)"))
        case .sized(let id, let total, let received):
            change(id) { image in
                (image.total, image.received, image.earlier) = (total, received, received)
                image.meter = RateMeter()
                image.meter.note(received, at: time)
            }
        case .progress(let id, let received):
            change(id) { image in
                image.received = received
                image.earlier = min(image.earlier, received)
                image.meter.note(received, at: time)
            }
        case .ended(let result): end(result)
        case .waiting(let upstream, let moment): waiting[upstream] = moment
        case .resumed(let upstream): waiting[upstream] = nil
        case .finished: break
        }
        meter.note(bytes, at: time)
    }

    private var names: [PlannedImage.ID: String] = [:]

    private mutating func change(_ id: PlannedImage.ID, _ body: (inout Image) -> Void) {
        guard let index = images.firstIndex(where: { $0.id == id }) else { return }
        body(&images[index])
    }

    private mutating func end(_ result: ImageResult) {
        images.removeAll { $0.id == result.image.id }
        guard result.status != .cached else { return }
        ended += 1
        endedBytes += result.bytes
        manifestReads += result.manifestReads
    }
}

/// How fast a number of bytes has grown in the last seconds.
struct RateMeter {
    private static let window = Duration.seconds(5)
    private static let spacing = Duration.milliseconds(200)

    /// At the spacing, the oldest first.
    private var samples: [(time: Duration, bytes: Int)] = []
    private var latest: (time: Duration, bytes: Int)?

    mutating func note(_ bytes: Int, at time: Duration) {
        if let latest, bytes < latest.bytes { samples = [] }
        latest = (time, bytes)
        if let last = samples.last, time - last.time < Self.spacing { return }
        samples.append((time, bytes))
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// Bytes a second; `nil` while too little is known, and when nothing comes.
    func rate(at now: Duration) -> Double? {
        guard let first = samples.first, let latest, latest.bytes > first.bytes else { return nil }
        let seconds = (now - first.time).seconds
        return seconds >= 0.4 ? Double(latest.bytes - first.bytes) / seconds : nil
    }
}

extension Duration {
    var seconds: Double { Double(wholeMilliseconds) / 1000 }
}
