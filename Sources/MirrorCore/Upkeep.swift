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
    /// In bytes a second: what nobody has asked for may wait.
    private static let examinationRate = 100_000_000

    private func lookAfterCache() async {
        await withTaskGroup { group in
            // Recording takes hours where much has to be hashed; the room on the disk is looked after meanwhile.
            group.addTask { await self.takeStock() }
            group.addTask {
                while !Task.isCancelled {
                    await self.context.keeper.look()
                    self.context.publishTotals()
                    await self.time.sleep(Self.interval)
                }
            }
            await group.waitForAll()
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
    /// A manifest has to be read anyhow. A blob that the store vouches for is recorded as it is; after all of these come those
    /// that have to be hashed first, which are few unless the directory was copied.
    func recordStrays() async {
        let wasPending = index.isRebuildPending
        var strays = Strays()
        do {
            for kind in [ContentKind.manifest, .blob] {
                try await eachBatch(of: kind) { batch in
                    try await recordStrays(among: batch.contents, kind, &strays)
                }
            }
            if strays.doubtful > 0 {
                let pace = Pace(bytesPerSecond: Self.examinationRate, time: time)
                try await eachBatch(of: .blob) { batch in
                    for content in batch.contents { try await recordIfRight(content, pace, &strays) }
                }
            }
            guard !Task.isCancelled else { return }
            if wasPending { try await index.commit([.rebuilt]) }
        } catch {
            // The next start tries again; what is asked for is adopted meanwhile.
            if !Task.isCancelled {
                context.logger.error("the index could not be completed", metadata: ["error": "\(error)"])
            }
        }
        context.publishTotals()
        if strays.recorded > 0 {
            context.logger.notice("recorded what was on disk", metadata: ["objects": "\(strays.recorded)"])
        }
    }

    private struct Strays {
        var recorded = 0
        /// Those that could not be recorded without hashing them.
        var doubtful = 0
    }

    private func eachBatch(of kind: ContentKind, _ body: (StoredBatch) async throws -> Void) async throws {
        var position: WalkPosition? = .start
        while let next = position, !Task.isCancelled {
            let batch = try await context.store.stored(kind, from: next)
            try await body(batch)
            position = batch.next
        }
    }

    private func recordStrays(
        among contents: [StoredContent],
        _ kind: ContentKind,
        _ strays: inout Strays
    ) async throws(IndexError) {
        var changes: [IndexChange] = []
        for content in contents where isStray(content.digest, kind) {
            switch kind {
            case .manifest:
                guard let bytes = await unrecordedManifest(content.digest) else { continue }
                let references = Manifest(bytes)?.references ?? []
                changes.append(.manifest(content.digest, bytes: bytes, references: references))
            case .blob where content.isDoubtful: strays.doubtful += 1
            case .blob: changes.append(.blob(content.digest, size: content.size))
            }
        }
        guard !changes.isEmpty else { return }
        let count = try await recordFound(changes)
        context.keeper.tidyIfDue()
        strays.recorded += count
    }

    private func recordIfRight(_ content: StoredContent, _ pace: Pace, _ strays: inout Strays) async throws {
        let digest = content.digest
        guard isStray(digest, .blob), !Task.isCancelled else { return }
        switch try await context.store.check(digest, .blob, size: nil, pace: pace) {
        case .intact:
            // Somebody may have asked for it meanwhile.
            guard isStray(digest, .blob) else { return }
            let count = try await recordFound([.blob(digest, size: content.size)])
            context.keeper.tidyIfDue()
            strays.recorded += count
        case .missing: break
        case let verdict where isStray(digest, .blob): try await condemn(digest, .blob, verdict)
        case .short, .damaged, .unreadable: break
        }
    }

    /// Whether the index does not know a file that is nobody's: one in flight, or on its way out, is somebody else's.
    private func isStray(_ digest: Digest, _ kind: ContentKind) -> Bool {
        guard index.storedObject(digest, kind) == nil else { return false }
        return kind == .manifest || flights.flight(for: digest) == nil && !context.keeper.isLeaving(digest)
    }
}
