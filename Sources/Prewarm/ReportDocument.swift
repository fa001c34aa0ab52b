import FoundationEssentials
package import MirrorCore
import OCI

/// A report as `tidepool prewarm --json` prints it.
package struct ReportDocument: Encodable, Hashable, Sendable {
    package var images: [Image]
    /// Mappings that were not followed, and tags that could not be looked up.
    package var failures: [Failure]
    package var summary: Summary
    package var manifestReads: Int
    package var bytes: Int
    /// `budget`, `quota` or `interrupted`.
    package var stopped: String?
    package var resetsAt: WallTime?
    package var left: Left
    package var quota: PlanDocument.Quota?
    package var durationSeconds: Double
    package var warnings: [String]

    package struct Image: Encodable, Hashable, Sendable {
        package var upstream: String
        package var repository: String
        package var tags: [String]
        package var digest: String
        package var status: String
        package var manifestReads: Int
        package var bytes: Int
        package var durationSeconds: Double
        package var error: String?
    }

    package struct Failure: Encodable, Hashable, Sendable {
        package var from: String
        package var tag: String?
        package var error: String
    }

    package struct Summary: Encodable, Hashable, Sendable {
        package var cached: Int
        package var fetched: Int
        package var failed: Int
        package var left: Int
    }

    package struct Left: Encodable, Hashable, Sendable {
        package var images: Int
        package var manifestReads: Int
        package var bytes: Int
    }

    package init(_ report: PrewarmReport) {
        images = report.images.map(Image.init)
        failures =
            report.failures.map { Failure(from: $0.from, error: "\($0.failure)") }
            + report.failedTags.map { Failure(from: $0.from, tag: $0.tag, error: $0.problem) }
        summary = Summary(
            cached: report.count(.cached),
            fetched: report.count(.fetched),
            failed: report.count(.failed) + report.failedTags.count,
            left: report.count(.left)
        )
        manifestReads = report.manifestReads
        bytes = report.bytes
        switch report.stop {
        case nil: break
        case .budget: stopped = "budget"
        case .interrupted: stopped = "interrupted"
        case .quota(let moment):
            stopped = "quota"
            resetsAt = moment
        }
        left = Left(
            images: report.count(.left),
            manifestReads: report.left.manifestReads,
            bytes: report.left.bytes
        )
        quota = PrewarmPlan.principal(report.quotas)
            .map { PlanDocument.Quota(limit: $0.limit, remaining: $0.remaining, reserve: $0.reserve) }
        durationSeconds = report.duration.seconds
        warnings = report.warnings
    }

    package var json: [UInt8] { JSONText.of(self) }
}

extension ReportDocument.Image {
    fileprivate init(_ result: ImageResult) {
        self.init(
            upstream: result.image.repository.upstream.text,
            repository: result.image.repository.name.text,
            tags: result.image.tags,
            digest: "\(result.image.digest)",
            status: result.status.rawValue,
            manifestReads: result.manifestReads,
            bytes: result.bytes,
            durationSeconds: result.duration.seconds,
            error: result.problem
        )
    }
}

extension Duration {
    /// In seconds, to the millisecond.
    fileprivate var seconds: Double { Double(wholeMilliseconds) / 1000 }
}
