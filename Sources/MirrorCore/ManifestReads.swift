import Logging
import OCI

/// What a manifest read came to.
struct ManifestFetch: Sendable {
    var source: Repository
    /// `nil` when it turned out to be stored already.
    var result: Result<FetchedManifest, MirrorError>?
}

/// The reads of manifests that cost quota: one a digest, verified.
extension PullThrough {
    /// Reads a manifest for all who ask for it: verified, handed out, then stored and recorded.
    func read(
        _ digest: Digest,
        _ inquiry: Inquiry,
        _ errand: Errand,
        deliver: @Sendable (ManifestFetch) -> Void
    ) async {
        let repository = inquiry.repository
        do throws(MirrorError) {
            // A read that ended since the asker looked has stored it: entries leave the table after that.
            guard try stored(digest) == nil else { return deliver(ManifestFetch(source: repository, result: nil)) }
            let fetched = try await verified(digest, inquiry, errand)
            recentClaims.insert(Manifest(fetched.bytes)?.references ?? [])
            deliver(ManifestFetch(source: repository, result: .success(fetched)))
            let mediaType = ManifestType.name(of: fetched.bytes, told: fetched.mediaType)
            let membership = Membership(mediaType: mediaType, provedAt: time.wall())
            let changes = await store(fetched.bytes, as: digest)
            await record(changes + [.membership(digest, .manifest, in: repository, membership)])
        } catch {
            if error == .manifestUnknown || error == .denied {
                remember(error, of: .content(digest, .manifest), in: repository)
            }
            deliver(ManifestFetch(source: repository, result: .failure(error)))
        }
    }

    /// Reads a manifest whose bytes have the digest; asks once more when they have not.
    private func verified(
        _ digest: Digest,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(MirrorError) -> FetchedManifest {
        let (upstream, repository) = (inquiry.upstream, inquiry.repository)
        for _ in 0..<2 {
            let fetched: FetchedManifest
            do throws(UpstreamError) {
                fetched = try await upstream.manifest(.digest(digest), in: repository.name, for: errand)
            } catch {
                throw MirrorError(error, missing: .manifestUnknown)
            }
            if context.store.digest(of: fetched.bytes, digest.algorithm) == digest { return fetched }
            context.metrics.add(to: .digestMismatches)
            context.logger.warning(
                "manifest has another digest than asked for",
                metadata: ["repository": "\(repository)", "digest": "\(digest)"]
            )
        }
        throw .corrupt
    }
}
