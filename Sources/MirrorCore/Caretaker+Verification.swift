import Logging
import OCI

/// Reading again all that is stored.
extension Caretaker {
    func verify(_ options: VerifyOptions, _ report: CareObserver) async throws(CareError) {
        let start = options.resumes ? index.bookmark(.verify).flatMap { CarePlace(bytes: $0) } : nil
        let pace = options.bytesPerSecond.map { Pace(bytesPerSecond: $0, time: time) }
        var total = VerifyTotal()
        var progress = CareProgress(objects: 0, bytes: 0, totalBytes: try await bytes(from: start))
        var told = time.monotonic()
        func tell(_ damage: DamagedObject) async throws(CareError) {
            total.damaged += 1
            if damage.remedy.isDone { total.mended += 1 }
            try await report(.damage(damage))
        }
        if options.repairs { try await mender.repairWhatIsLeft(tell) }
        try await look(from: start ?? .start, pace) { object, verdict throws(CareError) in
            total.objects += 1
            total.bytes += object.size
            if let verdict {
                if let damage = try await mender.treat(object, verdict, repairs: options.repairs) {
                    try await tell(damage)
                }
            } else {
                total.unread += 1
            }
            progress.objects = total.objects
            progress.bytes = total.bytes
            if time.monotonic() - told >= Self.progressInterval {
                told = time.monotonic()
                try await report(.progress(progress))
            }
        } bookmark: { place in
            .bookmark(.verify, place?.bytes)
        }
        try await reportOrphans(&total, report)
        try await report(.verified(total))
    }

    /// The bytes that there are to read, from a place on.
    private func bytes(from place: CarePlace?) async throws(CareError) -> Int {
        let totals = index.totals()
        guard let place else { return totals.blobBytes + totals.manifestBytes }
        var bytes = 0
        for kind in place.kinds {
            try await reader.eachObject(of: kind, after: place.cursor(in: kind)) { bytes += $0.size }
        }
        return bytes
    }

    /// How often the place is written down: more often costs the disk more than reading some of it again.
    private static let markInterval = Duration.seconds(5)

    /// Checks every stored object from a place on; no verdict for what cannot be read just now.
    ///
    /// How far it is goes into the index now and then, and when it is ended early; `nil` at the end.
    func look(
        from start: CarePlace,
        _ pace: Pace?,
        _ body: (StoredObject, Verdict?) async throws(CareError) -> Void,
        bookmark: (CarePlace?) -> IndexChange
    ) async throws(CareError) {
        var place = start
        var marked = time.monotonic()
        do throws(CareError) {
            for kind in start.kinds {
                place = CarePlace(kind: kind, cursor: start.cursor(in: kind))
                // One at a time, so that the place is exact: looking an object up is nothing beside reading it.
                try await reader.eachObject(of: kind, after: place.cursor, pageSize: 1) { object throws(CareError) in
                    try await body(object, try await verdict(on: object, pace))
                } afterPage: { next in
                    place.cursor = next
                    guard time.monotonic() - marked >= Self.markInterval else { return }
                    marked = time.monotonic()
                    index.post([bookmark(place)])
                }
            }
        } catch {
            index.post([bookmark(place)])
            throw error
        }
        index.post([bookmark(nil)])
    }

    private func verdict(on object: StoredObject, _ pace: Pace?) async throws(CareError) -> Verdict? {
        do throws(StoreError) {
            let verdict = try await store.check(object.digest, object.kind, size: object.size, pace: pace)
            if verdict == .intact, object.kind == .manifest { await mender.mendCopy(of: object.digest) }
            return verdict
        } catch {
            guard !Task.isCancelled else { throw .stopped }
            logger.warning(
                "stored content could not be read now",
                metadata: ["digest": "\(object.digest)", "error": "\(error)"]
            )
            return nil
        }
    }

    private func reportOrphans(_ total: inout VerifyTotal, _ report: CareObserver) async throws(CareError) {
        for kind in ContentKind.allCases {
            try await reader.eachBatch(of: kind) { batch throws(CareError) in
                for content in batch.contents where isOrphan(content.digest, kind) {
                    total.orphans += 1
                    try await report(
                        .orphan(OrphanFile(name: "\(content.digest)", kind: kind.label, size: content.size))
                    )
                }
                for name in batch.foreign {
                    try await report(.orphan(OrphanFile(name: name, kind: "foreign", size: 0)))
                }
            }
        }
    }
}
