import Logging
import OCI

/// Files that the index does not know: it was lost, or the process ended between a landing and its record.
extension PullThrough {
    /// A blob that is on the disk and not in the index, recorded after its digest has been verified.
    ///
    /// Nothing is known of such a file but its name, so it is read once, whatever the store promises of names.
    func adoptedBlob(_ digest: Digest, for caller: Caller) async throws(MirrorError) -> (any StoredFile)? {
        // What a flight has landed a moment ago is about to be recorded.
        guard flights.flight(for: digest) == nil, try open(digest, .blob) != nil else { return nil }
        let work = adoptions.work(on: digest, for: caller) { [self] _, deliver in
            deliver(await adopt(digest))
        }
        guard let work else { throw .shuttingDown }
        guard let isRight = await work.promise.value(until: time.deadline(in: Self.patience)) else { throw .tooSlow }
        return isRight ? try open(digest, .blob) : nil
    }

    private static let patience = Duration.seconds(25)

    private func adopt(_ digest: Digest) async -> Bool {
        do {
            switch try await context.store.check(digest, .blob, size: nil, pace: nil) {
            case .intact: break
            case .missing: return false
            case .short, .damaged, .unreadable:
                context.metrics.add(to: .digestMismatches)
                context.logger.error("an unrecorded blob is damaged", metadata: ["digest": "\(digest)"])
                try await context.store.quarantine(digest, .blob)
                return false
            }
            guard let size = try context.store.open(digest, .blob)?.size else { return false }
            await record(found: .blob(digest, size: size))
            return true
        } catch {
            context.logger.warning(
                "an unrecorded blob cannot be looked at",
                metadata: ["digest": "\(digest)", "error": "\(error)"]
            )
            return false
        }
    }

    /// The verified bytes of a manifest that is on the disk and not in the index; `nil` when there is none, or the repository
    /// is not known to have it.
    func unrecordedManifest(
        _ digest: Digest,
        _ prospect: ManifestProspect,
        _ inquiry: Inquiry
    ) async throws(ReadFailure) -> [UInt8]? {
        guard let bytes = await unrecordedManifest(digest) else { return nil }
        if prospect.isProved { return bytes }
        do throws(MirrorError) {
            // A HEAD is free, and a read is not.
            _ = try await prove(digest, .manifest, inquiry)
            return bytes
        } catch {
            guard error.isOutage else { throw ReadFailure(error: error) }
            return nil
        }
    }

    /// The verified bytes of a manifest's file.
    func unrecordedManifest(_ digest: Digest) async -> [UInt8]? {
        do throws(StoreError) {
            guard let file = try context.store.open(digest, .manifest), file.size <= Manifest.maximumSize else {
                return nil
            }
            let bytes = try await context.store.contents(of: file)
            if context.store.digest(of: bytes, digest.algorithm) == digest { return bytes }
            context.metrics.add(to: .digestMismatches)
            context.logger.error("an unrecorded manifest is damaged", metadata: ["digest": "\(digest)"])
            try await context.store.quarantine(digest, .manifest)
        } catch {
            context.logger.warning(
                "an unrecorded manifest cannot be looked at",
                metadata: ["digest": "\(digest)", "error": "\(error)"]
            )
        }
        return nil
    }
}
