import Locking
import Logging
package import OCI

/// What a manifest read came to.
struct ManifestFetch: Sendable {
    var source: Repository
    var result: Result<FetchedManifest, MirrorError>
}

/// A HEAD's answer for content that a repository has.
struct Proof: Hashable, Sendable {
    var mediaType: String
    var size: Int?
}

/// Manifests: fetched by digest, verified, kept for ever. DESIGN rules 1, 3, 13 and 15.
extension PullThrough {
    package func cachedManifest<Result>(
        _ reference: Reference,
        in repository: Repository,
        for caller: Caller,
        _ body: (ManifestHead, borrowing CachedContent) -> Result
    ) -> Result? {
        guard permits(repository, caller) else { return nil }
        switch reference {
        case .tag(let tag):
            guard let record = index.tag(tag, in: repository), isFresh(record, tag, policy(of: repository)) else {
                return nil
            }
            let head = ManifestHead(
                digest: record.digest,
                mediaType: record.mediaType,
                size: record.size,
                outcome: .hit
            )
            return withStored(head, in: repository, body) ?? body(head, .absent)
        case .digest(let digest):
            let head = ManifestHead(digest: digest, mediaType: "", size: 0, outcome: .hit)
            return withStored(head, in: repository, body)
        }
    }

    /// Calls `body` with a stored manifest that the repository is proved to have.
    private func withStored<Result>(
        _ head: ManifestHead,
        in repository: Repository,
        _ body: (ManifestHead, borrowing CachedContent) -> Result
    ) -> Result? {
        guard let membership = index.membership(of: head.digest, as: .manifest, in: repository) else { return nil }
        var head = head
        head.mediaType = membership.mediaType
        let answer: Result?? = index.withManifest(head.digest) { size, bytes in
            head.size = size
            if let bytes { return body(head, .bytes(bytes)) }
            guard let file = context.store.open(head.digest, .manifest), file.size == size else { return nil }
            return body(head, .file(file))
        }
        return answer ?? nil
    }

    package func manifest(
        _ reference: Reference,
        in repository: Repository,
        headOnly: Bool,
        for caller: Caller
    ) async throws(MirrorError) -> ManifestAnswer {
        let (upstream, policy) = try upstream(for: repository, caller)
        let deadline = time.deadline(in: policy.answerWithin)
        switch reference {
        case .tag(let tag):
            let resolved = try await resolve(tag, in: repository, upstream, policy, deadline)
            let record = resolved.record
            if headOnly {
                let head = ManifestHead(
                    digest: record.digest,
                    mediaType: record.mediaType,
                    size: record.size,
                    outcome: resolved.outcome
                )
                return ManifestAnswer(head: head, content: nil)
            }
            // The tag's HEAD has proved the repository to have it, whether or not that is in the index yet.
            return try await content(
                of: record.digest,
                in: repository,
                upstream,
                proof: Proof(mediaType: record.mediaType, size: record.size),
                outcome: resolved.outcome,
                deadline
            )
        case .digest(let digest):
            try recall(.content(digest, .manifest), in: repository)
            if headOnly, stored(digest) == nil {
                let (proof, isJoined) = try await prove(digest, .manifest, in: repository, upstream, deadline)
                let head = ManifestHead(
                    digest: digest,
                    mediaType: proof.mediaType,
                    size: proof.size ?? 0,
                    outcome: isJoined ? .collapsed : .miss
                )
                return ManifestAnswer(head: head, content: nil)
            }
            return try await content(of: digest, in: repository, upstream, proof: nil, outcome: .hit, deadline)
        }
    }

    // MARK: - Content

    /// A manifest's content, from the store, or by one GET whoever else asks meanwhile.
    private func content(
        of digest: Digest,
        in repository: Repository,
        _ upstream: any Upstream,
        proof: Proof?,
        outcome: CacheOutcome,
        _ deadline: Deadline
    ) async throws(MirrorError) -> ManifestAnswer {
        var proof = proof
        while deadline.remaining > .zero {
            if let stored = stored(digest) {
                if let membership = index.membership(of: digest, as: .manifest, in: repository) {
                    let head = head(digest, membership.mediaType, stored, outcome)
                    return ManifestAnswer(head: head, content: stored.content)
                }
                // Stored by way of another repository: served here after a free HEAD has succeeded here.
                if proof == nil {
                    proof = try await prove(digest, .manifest, in: repository, upstream, deadline).proof
                }
                let mediaType = storedMediaType(of: digest, told: proof?.mediaType)
                return ManifestAnswer(head: head(digest, mediaType, stored, outcome), content: stored.content)
            }
            var isProved = proof != nil || index.membership(of: digest, as: .manifest, in: repository) != nil
            if !isProved, mayBeNobodys(digest, repository) {
                // A HEAD finds out for nothing: guesses and typing errors cost no quota.
                proof = try await proofIfHeadsWork(of: digest, in: repository, upstream, deadline)
                isProved = proof != nil
            }
            if let answer = try await fetch(digest, in: repository, upstream, isProved, outcome, deadline) {
                return answer
            }
        }
        throw .tooSlow
    }

    /// Whether no stored manifest names this digest, and a HEAD would tell whether the repository has it.
    private func mayBeNobodys(_ digest: Digest, _ repository: Repository) -> Bool {
        index.claimedSize(of: digest) == nil && !habits.withLock { $0.refusesHeads.contains(repository.upstream) }
    }

    /// A proof by HEAD; `nil` when it turns out that the upstream does not answer HEADs.
    private func proofIfHeadsWork(
        of digest: Digest,
        in repository: Repository,
        _ upstream: any Upstream,
        _ deadline: Deadline
    ) async throws(MirrorError) -> Proof? {
        do throws(MirrorError) {
            return try await prove(digest, .manifest, in: repository, upstream, deadline).proof
        } catch {
            guard habits.withLock({ $0.refusesHeads.contains(repository.upstream) }) else { throw error }
            return nil
        }
    }

    /// Fetches through this repository, or waits for a fetch through another; `nil` means look again.
    private func fetch(
        _ digest: Digest,
        in repository: Repository,
        _ upstream: any Upstream,
        _ isProved: Bool,
        _ outcome: CacheOutcome,
        _ deadline: Deadline
    ) async throws(MirrorError) -> ManifestAnswer? {
        let work = manifestFetches.work(on: digest) { [self] deliver in
            await fly(digest, in: repository, upstream, deliver: deliver)
        }
        guard let work else { throw .shuttingDown }
        guard let fetch = await work.promise.value(until: deadline) else {
            throw Task.isCancelled ? .shuttingDown : .tooSlow
        }
        switch fetch.result {
        case .success(let fetched):
            if fetch.source != repository {
                // Another repository's bytes: they are here, and a HEAD must say that they are here too.
                guard isProved else {
                    _ = try await prove(digest, .manifest, in: repository, upstream, deadline)
                    return nil
                }
            }
            let isStale = if case .stale = outcome { true } else { false }
            let head = ManifestHead(
                digest: digest,
                mediaType: ManifestType.name(of: fetched.bytes, told: fetched.mediaType),
                size: fetched.bytes.count,
                outcome: isStale ? outcome : work.outcome
            )
            return ManifestAnswer(head: head, content: .bytes(fetched.bytes))
        case .failure(let error):
            // What another repository was told says nothing about this one: ask for ourselves, once that work has ended.
            guard fetch.source != repository else { throw error }
            await Task.yield()
            return nil
        }
    }

    /// The one GET: verified, handed out, then stored and recorded.
    private func fly(
        _ digest: Digest,
        in repository: Repository,
        _ upstream: any Upstream,
        deliver: @Sendable (ManifestFetch) -> Void
    ) async {
        do throws(MirrorError) {
            let fetched = try await verified(digest, in: repository, upstream)
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
        in repository: Repository,
        _ upstream: any Upstream
    ) async throws(MirrorError) -> FetchedManifest {
        for _ in 0..<2 {
            let fetched: FetchedManifest
            do throws(UpstreamError) {
                fetched = try await upstream.manifest(.digest(digest), in: repository.name)
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

    // MARK: - Stored manifests

    private struct Stored {
        var content: ManifestAnswer.Content
        var size: Int
    }

    /// A stored manifest, out of the map; forgets one whose file has gone.
    private func stored(_ digest: Digest) -> Stored? {
        let found: Stored?? = index.withManifest(digest) { size, bytes in
            if let bytes { return Stored(content: .bytes(Array(copying: bytes)), size: size) }
            guard let file = context.store.open(digest, .manifest), file.size == size else { return nil }
            return Stored(content: .file(file), size: size)
        }
        guard let found else { return nil }
        if found == nil { index.post([.lost(digest, .manifest)]) }
        return found
    }

    func isStored(_ digest: Digest) -> Bool {
        index.withManifest(digest) { _, _ in true } ?? false
    }

    /// What to call a manifest that a HEAD has described: the stored document decides, if there is one.
    func storedMediaType(of digest: Digest, told: String?) -> String {
        let own: String?? = index.withManifest(digest) { _, bytes in
            guard let bytes else { return nil }
            return ManifestType.name(of: Array(copying: bytes), told: told)
        }
        if let own = own ?? nil { return own }
        return told.flatMap { ManifestType.isMediaType($0) ? $0 : nil } ?? MediaType.ociManifest
    }

    private func head(_ digest: Digest, _ mediaType: String, _ stored: Stored, _ outcome: CacheOutcome) -> ManifestHead
    {
        ManifestHead(digest: digest, mediaType: mediaType, size: stored.size, outcome: outcome)
    }

    /// Writes a verified manifest; returns what the index is to be told.
    func store(_ bytes: [UInt8], as digest: Digest) async -> [IndexChange] {
        do {
            try await context.store.store(bytes, as: digest, .manifest)
            return [.manifest(digest, bytes: bytes, references: Manifest(bytes)?.references ?? [])]
        } catch {
            context.logger.error(
                "manifest could not be stored",
                metadata: ["digest": "\(digest)", "error": "\(error)"]
            )
            return []
        }
    }
}

extension [UInt8] {
    /// The bytes, out of memory that is only lent.
    init(copying span: Span<UInt8>) {
        self = []
        reserveCapacity(span.count)
        for index in span.indices { append(span[index]) }
    }
}
