import Logging
import OCI

/// Reading again all that is stored.
extension Caretaker {
    func verify(_ options: VerifyOptions, _ report: CareObserver) async throws(CareError) {
        let start = options.resumes ? index.bookmark(.verify).flatMap { CarePlace(bytes: $0) } : nil
        let pace = options.bytesPerSecond.map { Pace(bytesPerSecond: $0, time: time) }
        let totals = index.totals()
        var total = VerifyTotal()
        var progress = CareProgress(objects: 0, bytes: 0, totalBytes: totals.blobBytes + totals.manifestBytes)
        var told = time.monotonic()
        try await look(from: start ?? .start, pace) { object, verdict throws(CareError) in
            total.objects += 1
            total.bytes += object.size
            guard let verdict else {
                total.unread += 1
                return
            }
            if let damage = try await mender.treat(object, verdict, repairs: options.repairs) {
                total.damaged += 1
                if damage.remedy == .fetched { total.mended += 1 }
                try await report(.damage(damage))
            }
            progress.objects = total.objects
            progress.bytes = total.bytes
            if time.monotonic() - told >= Self.progressInterval {
                told = time.monotonic()
                try await report(.progress(progress))
            }
        } mark: { place in
            index.post([.bookmark(.verify, place.bytes)])
        }
        index.post([.bookmark(.verify, nil)])
        try await reportOrphans(&total, report)
        try await report(.verified(total))
    }

    /// Checks every stored object from a place on; no verdict for what cannot be read just now.
    ///
    /// `mark` is told how far it is, a page of objects at a time.
    func look(
        from place: CarePlace,
        _ pace: Pace?,
        _ body: (StoredObject, Verdict?) async throws(CareError) -> Void,
        mark: (CarePlace) -> Void
    ) async throws(CareError) {
        for kind in [ContentKind.manifest, .blob] where kind.rawValue >= place.kind.rawValue {
            let cursor = kind == place.kind ? place.cursor : nil
            try await reader.eachObject(of: kind, after: cursor) { object throws(CareError) in
                try await body(object, try await verdict(on: object, pace))
            } afterPage: { next in
                mark(CarePlace(kind: kind, cursor: next))
            }
            if kind == .manifest { mark(CarePlace(kind: .blob, cursor: nil)) }
        }
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
