import Logging
import OCI

/// What a manifest read came to.
struct ManifestFetch: Sendable {
    var source: Repository
    /// `nil` when it turned out to be stored already.
    var result: Result<FetchedManifest, ReadFailure>?
}

struct ReadFailure: Error, Hashable, Sendable {
    var error: MirrorError
    /// Whether it was background work, and the quota's reserve was in its way.
    var wasReserved = false
}

/// What is known of a manifest before it is read.
struct ManifestProspect: Sendable {
    /// Whether its upstream has said, or a manifest of the repository claims, that the repository has it.
    var isKnown: Bool
    /// Whether its upstream has said so.
    var isProved: Bool
    /// What its upstream calls it.
    var mediaType: String?
}

/// The reads of manifests that cost quota: one a digest, verified.
extension PullThrough {
    /// Reads a manifest for all who ask for it: verified, handed out, then stored and recorded.
    func read(
        _ digest: Digest,
        _ prospect: ManifestProspect,
        _ inquiry: Inquiry,
        _ errand: Errand,
        deliver: @Sendable (ManifestFetch) -> Void
    ) async {
        let repository = inquiry.repository
        do throws(ReadFailure) {
            // A read that ended since the asker looked has stored it: entries leave the table after that.
            guard try await !isStored(digest, inquiry) else {
                return deliver(ManifestFetch(source: repository, result: nil))
            }
            let fetched = try await fetched(digest, prospect, inquiry, errand)
            recentClaims.insert(Manifest(fetched.bytes)?.references ?? [], in: repository)
            deliver(ManifestFetch(source: repository, result: .success(fetched)))
            let mediaType = ManifestType.name(of: fetched.bytes, told: fetched.mediaType)
            let membership = Membership(mediaType: mediaType, provedAt: time.wall())
            let changes = await store(fetched.bytes, as: digest)
            await record(changes + [.membership(digest, .manifest, in: repository, membership)])
        } catch {
            if error.error == .manifestUnknown || error.error == .denied {
                remember(error.error, of: .content(digest, .manifest), in: repository)
            }
            deliver(ManifestFetch(source: repository, result: .failure(error)))
        }
    }

    private func isStored(_ digest: Digest, _ inquiry: Inquiry) async throws(ReadFailure) -> Bool {
        do throws(MirrorError) {
            return try await stored(digest, inquiry) != nil
        } catch {
            throw ReadFailure(error: error)
        }
    }

    /// A manifest whose bytes have the digest: from a content source if the repository is known to have it, else from
    /// the upstream.
    private func fetched(
        _ digest: Digest,
        _ prospect: ManifestProspect,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(ReadFailure) -> FetchedManifest {
        if let bytes = try await unrecordedManifest(digest, prospect, inquiry) {
            return FetchedManifest(bytes: bytes, mediaType: prospect.mediaType)
        }
        let sources = prospect.isKnown ? context.contentSources.candidates(for: digest, in: inquiry.repository) : []
        var mediaType = prospect.mediaType
        if !sources.isEmpty, !prospect.isProved {
            mediaType = try await confirmed(digest, inquiry)?.mediaType
        }
        for source in sources {
            guard let bytes = await bytes(of: digest, from: source, inquiry, errand) else { continue }
            // What a source calls it is not the upstream's word.
            return FetchedManifest(bytes: bytes, mediaType: mediaType)
        }
        return try await verified(digest, inquiry, errand)
    }

    /// Reads a manifest whose bytes have the digest; asks once more when they have not.
    private func verified(
        _ digest: Digest,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(ReadFailure) -> FetchedManifest {
        let repository = inquiry.repository
        for _ in 0..<2 {
            let fetched: FetchedManifest
            do throws(UpstreamError) {
                fetched = try await ask(inquiry, .read) { upstream async throws(UpstreamError) in
                    try await upstream.manifest(.digest(digest), in: repository.name, for: errand)
                }
            } catch {
                let wasReserved = if case .reserved = error { true } else { false }
                throw ReadFailure(error: MirrorError(error, missing: .manifestUnknown), wasReserved: wasReserved)
            }
            if context.store.digest(of: fetched.bytes, digest.algorithm) == digest { return fetched }
            noteWrongBytes(of: digest, from: repository.upstream, in: repository)
        }
        throw ReadFailure(error: .corrupt)
    }

    private func noteWrongBytes(of digest: Digest, from registry: UpstreamName, in repository: Repository) {
        context.metrics.add(to: .digestMismatches)
        context.logger.warning(
            "manifest has another digest than asked for",
            metadata: ["repository": "\(repository)", "digest": "\(digest)", "from": "\(registry)"]
        )
    }

    // MARK: - Content sources

    /// The verified bytes that a content source has; `nil` when it has none, fails, or takes long.
    private func bytes(
        of digest: Digest,
        from source: any Upstream,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async -> [UInt8]? {
        let repository = inquiry.repository
        let askedAt = time.monotonic()
        do throws(UpstreamError) {
            let bytes = try await askSource(source, digest, repository, errand)
            context.standings.answered(source.name, askedAt: askedAt)
            if context.store.digest(of: bytes, digest.algorithm) == digest { return bytes }
            noteWrongBytes(of: digest, from: source.name, in: repository)
            context.contentSources.note(.wrongBytes, of: source.name, digest, in: repository)
        } catch {
            context.standings.failed(error, source.name, isFree: false, askedAt: askedAt)
            context.contentSources.note(.error(error), of: source.name, digest, in: repository)
        }
        return nil
    }

    /// Asks within a bound that leaves the upstream its time.
    private func askSource(
        _ source: any Upstream,
        _ digest: Digest,
        _ repository: Repository,
        _ errand: Errand
    ) async throws(UpstreamError) -> [UInt8] {
        let answer = await withTaskGroup { group in
            group.addTask { () async -> Result<[UInt8], UpstreamError> in
                do throws(UpstreamError) {
                    return .success(try await source.manifest(.digest(digest), in: repository.name, for: errand).bytes)
                } catch {
                    return .failure(error)
                }
            }
            group.addTask { [time] in
                await time.sleep(Self.sourcePatience)
                return .failure(.unavailable(.timeout))
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failure(.cancelled)
        }
        return try answer.get()
    }

    private func confirmed(_ digest: Digest, _ inquiry: Inquiry) async throws(ReadFailure) -> Proof? {
        do throws(MirrorError) {
            return try await confirm(digest, .manifest, inquiry)
        } catch {
            throw ReadFailure(error: error)
        }
    }

    private static let sourcePatience = Duration.seconds(5)
}
