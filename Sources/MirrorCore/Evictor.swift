import Locking
import Logging
import OCI

/// Gives up what is stored, the least recently used first.
final class Evictor: Sendable {
    let store: any BlobStore
    let index: any CacheInventory
    let metrics: Metrics
    let logger: Logger
    private let leaving = Locked<Set<Digest>>([])

    init(store: any BlobStore, index: any CacheInventory, metrics: Metrics, logger: Logger) {
        self.store = store
        self.index = index
        self.metrics = metrics
        self.logger = logger
    }

    /// Whether it is being given up: the index has forgotten it or is about to, and the file may be there.
    func isLeaving(_ digest: Digest) -> Bool { leaving.withLock { $0.contains(digest) } }

    private static let pageLimit = 200
    /// More pages than this without an end: others use the cache faster than it can be looked through.
    private static let mostPages = 10_000

    /// Gives up spools that wait, and then blobs, until nothing is missing or nothing is left.
    ///
    /// `missing` says how many bytes have to go still. `giving` is told of bytes before the index forgets them, and the
    /// negative when the files are gone.
    func evictBlobs(
        sparing isSpared: @Sendable (Digest) -> Bool,
        until missing: @Sendable () -> Int,
        giving: @Sendable (Int) -> Void
    ) async {
        var round = Round()
        await dropSpools(&round, sparing: isSpared, until: missing, giving)
        await evict(.blob, &round, sparing: isSpared, until: missing, giving)
        report(round, "blob")
    }

    func evictManifests(until missing: @Sendable () -> Int) async {
        var round = Round()
        await evict(.manifest, &round, sparing: { _ in false }, until: missing, { _ in })
        report(round, "manifest")
    }

    /// Forgets what is known of content that is not stored, and gives up a tenth of the blobs, a page of them at most.
    func clearIndex(olderThan now: WallTime, giving: @Sendable (Int) -> Void) async {
        var round = Round()
        let limit = min(Self.pageLimit, index.totals().blobs / 10 + 1)
        let page = await index.evictionCandidates(of: .blob, after: nil, limit: limit) { store.isLeased($0, .blob) }
        _ = await giveUp(page.candidates, .blob, &round, giving)
        var cursor: IndexCursor?
        var forgotten = 0
        do throws(IndexError) {
            for _ in 0..<Self.mostPages {
                let page = try await index.prune(olderThan: now, after: cursor, limit: 1000)
                forgotten += page.removed
                guard let next = page.next else { break }
                cursor = next
            }
        } catch {
            logger.error("the full index cannot be pruned", metadata: ["error": "\(error)"])
        }
        logger.warning(
            "the index is full: raise cache.index_map_size",
            metadata: ["evicted": "\(round.objects)", "forgotten": "\(forgotten)"]
        )
    }

    /// What a round has given up.
    private struct Round {
        var objects = 0
        var spools = 0
        var bytes = 0
    }

    private func dropSpools(
        _ round: inout Round,
        sparing isSpared: @Sendable (Digest) -> Bool,
        until missing: @Sendable () -> Int,
        _ giving: @Sendable (Int) -> Void
    ) async {
        guard missing() > 0 else { return }
        // The shortest first: they are the cheapest to fetch again.
        for spool in store.unfinishedBlobs.sorted(by: { $0.received < $1.received }) where !isSpared(spool.digest) {
            guard missing() > 0 else { return }
            giving(spool.received)
            await store.dropUnfinished(spool.digest)
            giving(-spool.received)
            round.spools += 1
            round.bytes += spool.received
            metrics.add(to: .evictions, "spool")
        }
    }

    private func evict(
        _ kind: ContentKind,
        _ round: inout Round,
        sparing isSpared: @Sendable (Digest) -> Bool,
        until missing: @Sendable () -> Int,
        _ giving: @Sendable (Int) -> Void
    ) async {
        var cursor: IndexCursor?
        for _ in 0..<Self.mostPages {
            var wanted = missing()
            guard wanted > 0 else { return }
            let page = await index.evictionCandidates(of: kind, after: cursor, limit: Self.pageLimit) {
                isSpared($0) || store.isLeased($0, kind)
            }
            var batch: [StoredObject] = []
            for candidate in page.candidates where wanted > 0 {
                batch.append(candidate)
                wanted -= candidate.size
            }
            guard await giveUp(batch, kind, &round, giving) else { return }
            guard let next = page.next else { return }
            cursor = next
        }
    }

    /// Out of the index, and then off the disk; `false` when the index does not take it.
    private func giveUp(
        _ batch: [StoredObject],
        _ kind: ContentKind,
        _ round: inout Round,
        _ giving: @Sendable (Int) -> Void
    ) async -> Bool {
        guard !batch.isEmpty else { return true }
        let bytes = batch.reduce(0) { $0 + $1.size }
        giving(bytes)
        leaving.withLock { $0.formUnion(batch.map(\.digest)) }
        defer {
            leaving.withLock { $0.subtract(batch.map(\.digest)) }
            giving(-bytes)
        }
        do throws(IndexError) {
            try await index.commit(batch.map { .evicted($0.digest, kind) })
        } catch {
            logger.error("nothing can be evicted", metadata: ["error": "\(error)"])
            return false
        }
        do throws(StoreError) {
            try await store.remove(batch.map(\.digest), kind)
        } catch {
            // A file that nobody knows now: the next start finds it.
            logger.error("evicted content could not be removed", metadata: ["error": "\(error)"])
        }
        round.objects += batch.count
        round.bytes += bytes
        metrics.add(batch.count, to: .evictions, Self.label(of: kind))
        return true
    }

    private static func label(of kind: ContentKind) -> String {
        switch kind {
        case .manifest: "manifest"
        case .blob: "blob"
        }
    }

    private func report(_ round: Round, _ kind: String) {
        guard round.bytes > 0 else { return }
        let totals = index.totals()
        metrics.set(.cacheBytes, to: totals.blobBytes)
        metrics.set(.cacheObjects, to: totals.blobs, "blob")
        metrics.set(.cacheObjects, to: totals.manifests, "manifest")
        logger.info(
            "evicted",
            metadata: [
                "kind": "\(kind)", "objects": "\(round.objects)", "spools": "\(round.spools)",
                "bytes": "\(round.bytes)",
            ]
        )
    }
}
