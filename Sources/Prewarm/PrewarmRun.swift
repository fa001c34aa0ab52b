package import MirrorCore
import OCI
import Ocync

/// Carries out a plan.
///
/// Upstreams are worked on side by side. Of each, the manifests of one image are read after those of another, in the
/// plan's order, and blobs are fetched in that order too, a few at a time: while the last layers of an image come, the
/// next one's manifests are read already. An image that fails does not keep the others. What is fetched is in the cache at
/// once and stays there, so a run may be ended at any moment, and the next one goes on from there.
package struct PrewarmRun: Sendable {
    private let plan: PrewarmPlan
    private let options: PrewarmOptions
    private let mirror: any WarmMirror
    private let time: Timekeeper

    package init(
        _ plan: PrewarmPlan,
        _ options: PrewarmOptions,
        mirror: any WarmMirror,
        time: Timekeeper = .system()
    ) {
        self.plan = plan
        self.options = options
        self.mirror = mirror
        self.time = time
    }

    /// Fetches what is missing; when the task is cancelled, it ends soon and reports what was done.
    package func carryOut(observing observe: @escaping PrewarmObserver) async -> PrewarmReport {
        let start = time.monotonic()
        let reader = ManifestReader(mirror, options, time, observe)
        let lanes = Dictionary(grouping: plan.images, by: \.repository.upstream).values
        let results = await withTaskGroup(of: [ImageResult].self) { group in
            for images in lanes {
                let lane = UpstreamLane(images, options, mirror, reader, time, observe)
                group.addTask { await lane.work() }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        let isInterrupted = Task.isCancelled
        let left = results.filter { $0.status == .left }.map(\.image)
        var report = PrewarmReport(
            images: results,
            failures: plan.mappings.compactMap { mapping in
                mapping.failure.map { FailedMapping(from: mapping.mapping.from, failure: $0) }
            },
            failedTags: plan.failedTags,
            stop: left.isEmpty ? nil : isInterrupted ? .interrupted : reader.stop,
            left: isInterrupted ? planned(left) : await missing(left),
            quotas: plan.quotas,
            duration: time.monotonic() - start,
            warnings: plan.warnings
        )
        if !isInterrupted { await refresh(&report.quotas) }
        observe(.finished(report))
        return report
    }

    /// What images still need, now that more is known of them.
    private func missing(_ images: [PlannedImage]) async -> Price {
        var counter = PriceCounter()
        for image in images {
            let root = Descriptor(mediaType: image.mediaType, digest: image.digest, size: image.size)
            do throws(MirrorError) {
                _ = counter.add(try await ImageWalk.needs(of: root, in: image.repository, image.choice, mirror))
            } catch {
                return planned(images)
            }
        }
        return counter.total
    }

    /// The same as the plan had it; what images share is counted for each.
    private func planned(_ images: [PlannedImage]) -> Price {
        images.reduce(into: Price()) { total, image in
            total.manifestReads += image.price.manifestReads
            total.bytes += image.price.bytes
            total.areReadsEstimated = true
            total.hasMoreBytes = total.hasMoreBytes || image.price.hasMoreBytes
        }
    }

    private func refresh(_ quotas: inout [UpstreamName: WarmQuota]) async {
        for upstream in quotas.keys { quotas[upstream] = await mirror.quota(of: upstream).keeping(options.reserve) }
    }
}

extension PrewarmPlan {
    /// Tags that name no image, as far as could be found out.
    fileprivate var failedTags: [FailedTag] {
        mappings.flatMap { mapping in
            mapping.tags.filter { $0.image == nil }
                .map { FailedTag(from: mapping.mapping.from, tag: $0.tag, problem: $0.problem ?? "not looked up") }
        }
    }
}
