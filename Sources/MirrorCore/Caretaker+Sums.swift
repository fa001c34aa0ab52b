import OCI

/// What there is in all.
extension Caretaker {
    /// How often a long walk says how far it is, at most.
    static let progressInterval = Duration.milliseconds(500)

    func stats() async throws(CareError) -> CacheStats {
        var stats = CacheStats()
        let totals = index.totals()
        stats.manifests = totals.manifests
        stats.manifestBytes = totals.manifestBytes
        stats.blobs = totals.blobs
        stats.blobBytes = totals.blobBytes
        stats.indexBytes = indexBytes()
        let unfinished = store.unfinishedBlobs
        stats.unfinished = unfinished.count
        stats.unfinishedBytes = unfinished.reduce(0) { $0 + $1.received }
        stats.spoolBytes = stats.unfinishedBytes + mirror.flights.received
        let limits = mirror.context.keeper.limits
        stats.maxSize = limits.maxSize == .max ? nil : limits.maxSize
        stats.maxManifestsSize = limits.maxManifestsSize == .max ? nil : limits.maxManifestsSize
        stats.minFree = limits.minFree
        do throws(StoreError) {
            let space = try await store.space()
            stats.freeBytes = space.free
            stats.deviceBytes = space.total
        } catch {
            throw CareError(error)
        }
        try await count(&stats)
        return stats
    }

    private func count(_ stats: inout CacheStats) async throws(CareError) {
        var counts = stats
        try await reader.eachPin { _ in counts.pins += 1 }
        try await reader.eachRepository { repository throws(CareError) in
            counts.repositories += 1
            try await reader.eachTag(of: repository) { _ in counts.tags += 1 }
        }
        for kind in ContentKind.allCases {
            try await reader.eachObject(of: kind) { object in
                counts.oldestUse = min(counts.oldestUse ?? object.usedAt, object.usedAt)
                if counts.pins > 0, index.isPinned(object.digest) {
                    counts.pinnedObjects += 1
                    counts.pinnedBytes += object.size
                }
                guard kind == .blob, !reader.isReferenced(object.digest) else { return }
                counts.unreferencedBlobs += 1
                counts.unreferencedBytes += object.size
            }
        }
        stats = counts
    }
}
