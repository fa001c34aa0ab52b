import Logging
import OCI

/// Deals with what a look at a stored file has shown.
struct Mender: Sendable {
    private let reader: CacheReader
    private let mirror: PullThrough

    init(_ reader: CacheReader, for mirror: PullThrough) {
        self.reader = reader
        self.mirror = mirror
    }

    /// Puts a bad file aside and forgets that it is stored; with `repairs` it is fetched again at once.
    ///
    /// `nil` when nothing is wrong, or not any more.
    func treat(
        _ object: StoredObject,
        _ verdict: Verdict,
        repairs: Bool
    ) async throws(CareError) -> DamagedObject? {
        guard let problem = DamagedObject.Problem(verdict), isStored(object) else { return nil }
        let copy = object.kind == .manifest ? reader.intactCopy(of: object.digest) : nil
        try await discard(object, problem)
        mirror.context.metrics.add(to: .damaged, object.kind.label)
        mirror.context.logger.error(
            "stored content is bad; it is fetched again when it is asked for",
            metadata: [
                "digest": "\(object.digest)", "kind": "\(object.kind.label)", "problem": "\(problem.rawValue)",
            ]
        )
        return DamagedObject(
            digest: "\(object.digest)",
            kind: object.kind.label,
            problem: problem,
            remedy: try await remedy(for: object, copy, repairs: repairs)
        )
    }

    /// What the index has of a manifest costs nothing to write again, whoever asks for it.
    private func remedy(
        for object: StoredObject,
        _ copy: [UInt8]?,
        repairs: Bool
    ) async throws(CareError) -> DamagedObject.Remedy {
        if let copy {
            await mirror.record(await mirror.store(copy, as: object.digest))
            if isStored(object) { return .fetched }
        }
        return repairs ? try await repair(object) : .onDemand
    }

    /// Writes the index's own copy of a manifest anew, from its file, if LMDB or the disk below it has damaged it.
    ///
    /// The file is right.
    func mendCopy(of digest: Digest) async {
        guard reader.hasDamagedCopy(of: digest), let bytes = await mirror.unrecordedManifest(digest) else { return }
        mirror.context.metrics.add(to: .damaged, ContentKind.manifest.label)
        mirror.context.logger.error(
            "the index's copy of a manifest was bad, and is written anew from its file",
            metadata: ["digest": "\(digest)"]
        )
        await mirror.record([.manifest(digest, bytes: bytes, references: Manifest(bytes)?.references ?? [])])
    }

    private func isStored(_ object: StoredObject) -> Bool {
        reader.index.storedObject(object.digest, object.kind) != nil
    }

    /// The file before the record: what is asked for in between is found missing, and fetched.
    private func discard(_ object: StoredObject, _ problem: DamagedObject.Problem) async throws(CareError) {
        if problem != .missing {
            do throws(StoreError) {
                try await reader.store.quarantine(object.digest, object.kind)
            } catch {
                throw CareError(error)
            }
        }
        // Somebody may have found it missing since, and fetched it.
        if let file = try? reader.store.open(object.digest, object.kind), file.size == object.size { return }
        do throws(IndexError) {
            try await reader.index.commit([.lost(object.digest, object.kind)])
        } catch {
            throw CareError(error)
        }
        mirror.context.publishTotals()
    }

    private func repair(_ object: StoredObject) async throws(CareError) -> DamagedObject.Remedy {
        for repository in try await reader.repositories(having: object.digest, object.kind) {
            guard !Task.isCancelled else { throw .stopped }
            if await mirror.refetch(object.digest, object.kind, in: repository) { return .fetched }
        }
        return .unavailable
    }
}

extension DamagedObject.Problem {
    init?(_ verdict: Verdict) {
        switch verdict {
        case .intact: return nil
        case .missing: self = .missing
        case .short: self = .short
        case .damaged: self = .damaged
        case .unreadable: self = .unreadable
        }
    }
}
