import Locking
import Logging
import OCI

/// What the mirror does for its cache while nobody asks.
extension PullThrough {
    /// Starts looking after the cache in the background, until ``shutDown()``: requests are answered meanwhile.
    package func startUpkeep() {
        upkeep.withLock { upkeep in
            guard upkeep == nil else { return }
            upkeep = Task { [weak self] in await self?.lookAfterCache() }
        }
    }

    func endUpkeep() async {
        let tasks = [upkeep.withLock { $0 }, stocktaking.withLock { $0 }].compactMap(\.self)
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private static let interval = Duration.seconds(10)

    private func lookAfterCache() async {
        await takeStock()
        while !Task.isCancelled {
            await context.keeper.look()
            context.publishTotals()
            await time.sleep(Self.interval)
        }
    }

    /// Completes the index from what is on the disk, once in the life of the process; all who ask wait for the same walk.
    func takeStock() async {
        let walk = stocktaking.withLock { walk in
            if let walk { return walk }
            let new = Task { await recordStrays() }
            walk = new
            return new
        }
        await walk.value
    }

    /// Waits until nothing is about to be recorded that is there already: then what is unknown is unknown.
    func stockTaken() async {
        if index.isRebuildPending { return await takeStock() }
        await stocktaking.withLock { $0 }?.value
    }

    /// Records what is on the disk and not in the index: all of it, when the index is new; else what a crash has left.
    ///
    /// A blob's name is trusted, as it is in normal operation; a manifest has to be read anyhow.
    func recordStrays() async {
        let wasPending = index.isRebuildPending
        var strays = 0
        do {
            for kind in [ContentKind.manifest, .blob] {
                var position: WalkPosition? = .start
                while let next = position, !Task.isCancelled {
                    let batch = try await context.store.stored(kind, from: next)
                    strays += try await recordStrays(among: batch.contents, kind)
                    position = batch.next
                }
            }
            guard !Task.isCancelled else { return }
            if wasPending { try await index.commit([.rebuilt]) }
        } catch {
            // The next start tries again; what is asked for is adopted meanwhile.
            context.logger.error("the index could not be completed", metadata: ["error": "\(error)"])
        }
        context.publishTotals()
        if strays > 0 { context.logger.notice("recorded what was on disk", metadata: ["objects": "\(strays)"]) }
    }

    private func recordStrays(among contents: [StoredContent], _ kind: ContentKind) async throws(IndexError) -> Int {
        var changes: [IndexChange] = []
        for content in contents where index.storedObject(content.digest, kind) == nil {
            switch kind {
            case .manifest:
                guard let bytes = await unrecordedManifest(content.digest) else { continue }
                let references = Manifest(bytes)?.references ?? []
                changes.append(.manifest(content.digest, bytes: bytes, references: references))
            case .blob:
                // One that is in flight, or on its way out, is somebody else's.
                guard flights.flight(for: content.digest) == nil, !context.keeper.isLeaving(content.digest) else {
                    continue
                }
                changes.append(.blob(content.digest, size: content.size))
            }
        }
        guard !changes.isEmpty else { return 0 }
        let count = try await recordFound(changes)
        context.keeper.tidyIfDue()
        return count
    }
}
