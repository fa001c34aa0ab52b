import Logging
import OCI

/// Deals with what a look at a stored file has shown.
struct Mender: Sendable {
    private let reader: CacheReader
    private let mirror: PullThrough
    /// What there was no repair for, or none was wished.
    private let left: DamageList

    init(_ reader: CacheReader, for mirror: PullThrough) {
        self.reader = reader
        left = mirror.damages
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
        mirror.context.metrics.add(to: .damaged, object.kind.label)
        let remedy: DamagedObject.Remedy
        if await restore(object, problem) {
            remedy = .restored
        } else {
            try await discard(object, problem)
            // Before it is tried, which may be ended.
            let entry = DamageList.Entry(digest: object.digest, kind: object.kind, problem: problem)
            left.add(entry)
            remedy = repairs ? try await repair(entry) : .onDemand
        }
        mirror.context.logger.error(
            "stored content is bad",
            metadata: [
                "digest": "\(object.digest)", "kind": "\(object.kind.label)", "problem": "\(problem.rawValue)",
                "remedy": "\(remedy.rawValue)",
            ]
        )
        return DamagedObject(
            digest: "\(object.digest)",
            kind: object.kind.label,
            problem: problem,
            remedy: remedy
        )
    }

    /// Writes a manifest's file again from the copy that the index has of it; `false` where it has none.
    ///
    /// Clients are served from that copy, and a fetch would cost quota.
    private func restore(_ object: StoredObject, _ problem: DamagedObject.Problem) async -> Bool {
        guard object.kind == .manifest, let bytes = reader.indexedManifest(object.digest),
            reader.store.digest(of: bytes, object.digest.algorithm) == object.digest
        else { return false }
        do throws(StoreError) {
            if problem != .missing { try await reader.store.quarantine(object.digest, .manifest) }
            try await reader.store.store(bytes, as: object.digest, .manifest)
            return true
        } catch {
            return false
        }
    }

    /// Writes the index's own copy of a manifest anew from its file, which is right: LMDB has no checksums.
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

    /// Fetches what was found bad earlier, and what nobody has asked for since.
    func repairWhatIsLeft(_ report: (DamagedObject) async throws(CareError) -> Void) async throws(CareError) {
        for entry in left.entries {
            let isStored = reader.index.storedObject(entry.digest, entry.kind) != nil
            let isNeeded = entry.kind == .manifest || reader.isReferenced(entry.digest)
            guard !isStored, isNeeded, try await !reader.repositories(having: entry.digest, entry.kind).isEmpty else {
                left.remove(entry)
                continue
            }
            let remedy = try await repair(entry)
            try await report(
                DamagedObject(
                    digest: "\(entry.digest)",
                    kind: entry.kind.label,
                    problem: entry.problem,
                    remedy: remedy
                )
            )
        }
    }

    private func repair(_ entry: DamageList.Entry) async throws(CareError) -> DamagedObject.Remedy {
        for repository in try await reader.repositories(having: entry.digest, entry.kind) {
            guard !Task.isCancelled else { throw .stopped }
            if await mirror.refetch(entry.digest, entry.kind, in: repository) {
                left.remove(entry)
                return .fetched
            }
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
