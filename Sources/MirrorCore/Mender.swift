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
        mirror.context.metrics.add(to: .damaged, object.kind.label)
        let remedy: DamagedObject.Remedy
        if await restore(object, problem) {
            remedy = .restored
        } else {
            try await discard(object, problem)
            remedy = repairs ? try await repair(object) : .onDemand
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
