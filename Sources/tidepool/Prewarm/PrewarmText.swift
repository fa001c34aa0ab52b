import MirrorCore
import Prewarm

/// What a run tells people, in lines.
enum PrewarmText {
    /// A line that stays.
    struct Line: Hashable {
        var text: String
        /// Whether somebody should hear of it who hears of nothing else.
        var isProblem = false
    }

    /// The line for an event, if it has one.
    static func line(for event: PrewarmEvent) -> Line? {
        switch event {
        case .planned(let plan): Line(text: price(of: plan))
        case .ended(let result): line(for: result)
        case .waiting(let upstream, let moment):
            Line(text: "waiting for quota of \(upstream) until \(Clock.time(of: moment))")
        case .lookedUp, .began, .sized, .progress, .resumed, .finished: nil
        }
    }

    /// `14 manifest reads of 87 left, 10 reserved; 1.9 GB to fetch`.
    static func price(of plan: PrewarmPlan) -> String {
        let missing = plan.images.count { !$0.isCached }
        guard missing > 0 else {
            return plan.images.isEmpty
                ? "no image to fetch" : "nothing to fetch: \(Amount.count(plan.images.count, "image")) cached"
        }
        var text = reads(plan.price)
        if let quota = plan.quota, let remaining = quota.remaining {
            text += " of \(remaining) left, \(quota.reserve) reserved"
        }
        return text + "; \(bytes(plan.price)) to fetch"
    }

    private static func reads(_ price: Price) -> String {
        let reads = Amount.count(price.manifestReads, "manifest read")
        return price.areReadsEstimated ? "about \(reads)" : reads
    }

    private static func bytes(_ price: Price) -> String {
        let bytes = Amount.bytes(price.bytes)
        return price.hasMoreBytes ? "\(bytes) or more" : bytes
    }

    private static func line(for result: ImageResult) -> Line? {
        let name = name(of: result.image)
        switch result.status {
        // The end tells of these together.
        case .left: return nil
        case .cached: return Line(text: "\(name): cached")
        case .failed:
            return Line(text: "\(name): failed: \(result.problem ?? "it is not complete")", isProblem: true)
        case .fetched:
            let reads = Amount.count(result.manifestReads, "manifest read")
            let work = "\(Amount.bytes(result.bytes)) in \(Clock.duration(result.duration)), \(reads)"
            guard let problem = result.problem else { return Line(text: "\(name): fetched \(work)") }
            return Line(text: "\(name): fetched \(work); \(problem)", isProblem: true)
        }
    }

    /// The name with its first tag, and the other tags.
    private static func name(of image: PlannedImage) -> String {
        let others = image.tags.dropFirst()
        return others.isEmpty ? image.name : "\(image.name) (also \(others.joined(separator: ", ")))"
    }
}

// MARK: - The end

extension PrewarmText {
    /// How a run ended, in a few lines; the last is the sum.
    static func summary(of report: PrewarmReport) -> [Line] {
        var lines = report.failures.map { Line(text: "mapping '\($0.from)': \($0.failure)", isProblem: true) }
        lines += report.failedTags.map { Line(text: "\($0.from):\($0.tag): failed: \($0.problem)", isProblem: true) }
        if let stop = report.stop { lines.append(Line(text: text(for: stop, report), isProblem: true)) }
        let counts = ImageResult.Status.allCases.map { (status: $0, count: report.count($0)) }
        let parts = counts.filter { $0.count > 0 }.map { "\($0.count) \($0.status.rawValue)" }
        let images = Amount.count(report.images.count, "image") + (parts.isEmpty ? "" : ": ")
        let work = "\(Amount.count(report.manifestReads, "manifest read")), \(Amount.bytes(report.bytes))"
        let time = Clock.duration(report.duration)
        lines.append(Line(text: "\(images)\(parts.joined(separator: ", ")); \(work) in \(time)"))
        return lines
    }

    /// Why it stopped, and what is left.
    private static func text(for stop: StopReason, _ report: PrewarmReport) -> String {
        let reason =
            switch stop {
            case .budget: "stopped: the budget of manifest reads is spent"
            case .interrupted: "stopped by a signal"
            case .quota(let moment):
                "stopped: what is left of the quota is for pulls"
                    + (moment.map { "; more comes at \(Clock.time(of: $0))" } ?? "")
            }
        let left = report.images.filter { $0.status == .left }.map { ImageSheet.shortName($0.image.name) }
        guard !left.isEmpty else { return reason }
        let names = left.prefix(10).joined(separator: ", ") + (left.count > 10 ? " and \(left.count - 10) more" : "")
        return "\(reason); left for the next run: \(names) (\(reads(report.left)), \(bytes(report.left)))"
    }
}
