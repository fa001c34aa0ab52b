import Logging
import OCI

/// What a look at a stored file has come to.
enum Examination: Sendable {
    case sound(any StoredFile)
    /// It is not there, or not any more; and the index knows that.
    case absent
    case failed(MirrorError)
}

/// An object of the store, by its name.
struct StoredName: Hashable, Sendable {
    var digest: Digest
    var kind: ContentKind
}

/// Stored content that cannot be served as it is: its file has gone, is short or is doubtful, or the index does not know it.
///
/// Nothing is served before it is settled, and what is bad is fetched anew in the same request. On the event loop such content
/// counts as not held; this is the long way, and all who ask for it share one look.
extension PullThrough {
    /// The file of content that was found wanting, if it is right after all; `nil` when it is to be fetched.
    func examined(
        _ digest: Digest,
        _ kind: ContentKind,
        for caller: Caller,
        until deadline: Deadline
    ) async throws(MirrorError) -> (any StoredFile)? {
        if recordedSize(of: digest, kind) == nil {
            // What a flight has landed a moment ago is about to be recorded; what is on its way out is as good as gone.
            guard !isUnderWay(digest, kind), try isOnDisk(digest, kind) else {
                return nil
            }
        }
        let work = examinations.work(on: StoredName(digest: digest, kind: kind), for: caller) { [self] _, deliver in
            deliver(await examine(digest, kind))
        }
        guard let work else { throw .shuttingDown }
        switch await work.promise.value(until: deadline) {
        case .sound(let file): return file
        case .absent: return nil
        case .failed(let error): throw error
        case nil: throw .tooSlow
        }
    }

    func recordedSize(of digest: Digest, _ kind: ContentKind) -> Int? {
        switch kind {
        case .manifest: storedSize(of: digest)
        case .blob: index.blobSize(digest)
        }
    }

    /// The file of recorded content, if it may be served as it is.
    func soundFile(_ digest: Digest, _ kind: ContentKind, size: Int) -> (any StoredFile)? {
        // What cannot be opened now is for the long way, which can say why.
        guard let file = try? context.store.open(digest, kind), file.size == size else { return nil }
        return file
    }

    private func isOnDisk(_ digest: Digest, _ kind: ContentKind) throws(MirrorError) -> Bool {
        do throws(StoreError) {
            return try context.store.open(digest, kind) != nil
        } catch {
            if error == .doubtful { return true }
            throw MirrorError(storage: error)
        }
    }

    private func examine(_ digest: Digest, _ kind: ContentKind) async -> Examination {
        let size = recordedSize(of: digest, kind)
        do throws(StoreError) {
            switch try await context.store.settled(digest, kind, size: size) {
            case .intact(let file):
                if kind == .blob, size != file.size { await record(found: .blob(digest, size: file.size)) }
                return .sound(file)
            case .bad(let verdict):
                // Evicted meanwhile, or never there: no loss. Eviction takes the record away before the file.
                if verdict == .missing, recordedSize(of: digest, kind) == nil { return .absent }
                return try await condemn(digest, kind, verdict) ? .absent : .failed(.storageFailed)
            }
        } catch {
            context.logger.warning(
                "stored content cannot be looked at now",
                metadata: ["digest": "\(digest)", "kind": "\(kind.label)", "error": "\(error)"]
            )
            return .failed(MirrorError(storage: error))
        }
    }

    /// Puts a bad file aside, forgets that its content is stored, and says so; returns whether it is forgotten.
    @discardableResult
    func condemn(_ digest: Digest, _ kind: ContentKind, _ verdict: Verdict) async throws(StoreError) -> Bool {
        context.metrics.add(to: .damaged, kind.label)
        context.logger.error(
            "stored content is bad; it is fetched again when it is asked for",
            metadata: [
                "digest": "\(digest)", "kind": "\(kind.label)",
                "problem": "\(DamagedObject.Problem(verdict)?.rawValue ?? "none")",
            ]
        )
        if let problem = DamagedObject.Problem(verdict) {
            damages.add(DamageList.Entry(digest: digest, kind: kind, problem: problem))
        }
        if verdict != .missing { try await context.store.quarantine(digest, kind) }
        do throws(IndexError) {
            try await index.commit([.lost(digest, kind)])
        } catch {
            context.logger.error("the index could not be written", metadata: ["error": "\(error)"])
            return false
        }
        context.publishTotals()
        return true
    }
}

extension BlobStore {
    /// Opens content that has this size where it is known, after hashing it where the store does not vouch for it.
    fileprivate func settled(
        _ digest: Digest,
        _ kind: ContentKind,
        size: Int?
    ) async throws(StoreError) -> Confirmation {
        do throws(StoreError) {
            guard let file = try open(digest, kind) else { return .bad(.missing) }
            if size == nil || file.size == size { return .intact(file) }
        } catch {
            guard error == .doubtful else { throw error }
        }
        return try await confirm(digest, kind, size: size)
    }

    /// Opens content of whatever size, after hashing it where the store does not vouch for it.
    func opened(_ digest: Digest, _ kind: ContentKind) async throws(StoreError) -> Confirmation {
        try await settled(digest, kind, size: nil)
    }
}
