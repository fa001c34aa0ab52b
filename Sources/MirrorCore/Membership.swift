import Locking
import OCI

/// Proofs that a repository has some content, by one free HEAD each: DESIGN rule 15.
extension PullThrough {
    /// Proves by a HEAD that a repository has this content, and records it.
    func prove(
        _ digest: Digest,
        _ kind: ContentKind,
        _ inquiry: Inquiry
    ) async throws(MirrorError) -> (proof: Proof, isJoined: Bool) {
        let repository = inquiry.repository
        let key = ContentKey(repository: repository, digest: digest, kind: kind)
        while true {
            guard let work = proofWork(key, inquiry) else { throw .shuttingDown }
            switch await work.promise.value(until: inquiry.deadline) {
            case .success(let proof): return (proof, work.isJoined)
            case .failure(.reserved) where work.excuses(inquiry.caller): await Task.yield()
            case .failure(let error): throw MirrorError(error, missing: Self.missing(kind))
            case nil: throw .tooSlow
            }
        }
    }

    /// What a repository's upstream says of content that the repository is believed to have, before somebody else is
    /// asked for the bytes.
    ///
    /// A claim covers what comes through the repository itself, which says no where the claim is wrong; a content
    /// source does not. `nil` when the upstream cannot be asked, or not for nothing: then the claim has to do.
    func confirm(
        _ digest: Digest,
        _ kind: ContentKind,
        _ inquiry: Inquiry
    ) async throws(MirrorError) -> Proof? {
        let isFree = kind == .blob || !refusesHeads(inquiry.repository.upstream)
        guard isFree, !inquiry.upstream.isFailing else { return nil }
        do throws(MirrorError) {
            return try await prove(digest, kind, inquiry.within(inquiry.policy.revalidateWithin)).proof
        } catch {
            guard error.isOutage else { throw error }
            return nil
        }
    }

    private func proofWork(
        _ key: ContentKey,
        _ inquiry: Inquiry
    ) -> WorkTable<ContentKey, Result<Proof, UpstreamError>>.Work? {
        let (repository, digest, kind) = (key.repository, key.digest, key.kind)
        return proofs.work(on: key, for: inquiry.caller) { [self] errand, deliver in
            do throws(UpstreamError) {
                let proof = try await proof(key, inquiry, errand)
                deliver(.success(proof))
                let membership = Membership(mediaType: proof.mediaType, provedAt: time.wall())
                await record([.membership(digest, kind, in: repository, membership)])
            } catch {
                if error == .notFound || error == .denied {
                    let outcome = MirrorError(error, missing: Self.missing(kind))
                    remember(outcome, of: .content(digest, kind), in: repository)
                }
                deliver(.failure(error))
            }
        }
    }

    private func proof(
        _ key: ContentKey,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(UpstreamError) -> Proof {
        switch key.kind {
        case .manifest:
            guard let told = try await headManifest(key, inquiry, errand) else {
                return try await proofByRead(key, inquiry, errand)
            }
            // A registry that names another digest for this one is not talking about this content.
            guard told.digest.map({ $0 == key.digest }) ?? true else { throw .unusable("another digest") }
            return Proof(mediaType: storedMediaType(of: key.digest, told: told.mediaType), size: told.size)
        case .blob:
            let size = try await ask(inquiry, .free) { upstream async throws(UpstreamError) in
                try await upstream.headBlob(key.digest, in: key.repository.name, for: errand)
            }
            return Proof(mediaType: MediaType.octetStream, size: size)
        }
    }

    /// `nil` where the upstream does not answer HEADs.
    private func headManifest(
        _ key: ContentKey,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(UpstreamError) -> ManifestDescription? {
        guard !refusesHeads(key.repository.upstream) else { return nil }
        do throws(UpstreamError) {
            return try await ask(inquiry, .free) { upstream async throws(UpstreamError) in
                try await upstream.headManifest(.digest(key.digest), in: key.repository.name, for: errand)
            }
        } catch {
            guard error == .headUnsupported, key.repository.upstream != .dockerHub else { throw error }
            noteHeadsAreRefused(by: key.repository.upstream)
            return nil
        }
    }

    /// The proof by a GET, whose bytes are kept.
    private func proofByRead(
        _ key: ContentKey,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(UpstreamError) -> Proof {
        let fetched = try await ask(inquiry, .read) { upstream async throws(UpstreamError) in
            try await upstream.manifest(.digest(key.digest), in: key.repository.name, for: errand)
        }
        guard context.store.digest(of: fetched.bytes, key.digest.algorithm) == key.digest else {
            context.metrics.add(to: .digestMismatches)
            throw .unusable("another digest")
        }
        await record(await store(fetched.bytes, as: key.digest))
        return Proof(
            mediaType: ManifestType.name(of: fetched.bytes, told: fetched.mediaType),
            size: fetched.bytes.count
        )
    }

    /// Whether an upstream is known not to answer HEADs of manifests.
    func refusesHeads(_ upstream: UpstreamName) -> Bool {
        let now = time.monotonic()
        return habits.withLock { habits in
            habits.refusesHeads[upstream].map { now - $0 < UpstreamHabits.probeInterval } ?? false
        }
    }

    /// Remembers that an upstream does not answer HEADs of manifests; never of Docker Hub, where a GET costs quota.
    func noteHeadsAreRefused(by upstream: UpstreamName) {
        guard upstream != .dockerHub else { return }
        let now = time.monotonic()
        habits.withLock { $0.refusesHeads[upstream] = now }
    }

    private static func missing(_ kind: ContentKind) -> MirrorError {
        switch kind {
        case .manifest: .manifestUnknown
        case .blob: .blobUnknown
        }
    }
}
