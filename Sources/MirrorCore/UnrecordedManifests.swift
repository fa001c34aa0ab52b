import Logging
import OCI

/// Manifests that the index does not know: it was lost, or the process ended between a landing and its record.
extension PullThrough {
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
            switch try await context.store.opened(digest, .manifest) {
            case .intact(let file):
                guard file.size <= Manifest.maximumSize else { return nil }
                let bytes = try await context.store.contents(of: file)
                // It is read anyhow, so nobody's word is needed.
                if context.store.digest(of: bytes, digest.algorithm) == digest { return bytes }
                try await condemn(digest, .manifest, .damaged)
            case .bad(.missing): break
            case .bad(let verdict): try await condemn(digest, .manifest, verdict)
            }
        } catch {
            context.logger.warning(
                "an unrecorded manifest cannot be looked at",
                metadata: ["digest": "\(digest)", "error": "\(error)"]
            )
        }
        return nil
    }
}
