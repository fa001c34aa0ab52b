import Locking
import Logging
package import OCI

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
                    return stored.answer(digest, membership.mediaType, outcome)
                }
                // Stored by way of another repository: served here after a free HEAD has succeeded here.
                if proof == nil {
                    proof = try await prove(digest, .manifest, in: repository, upstream, deadline).proof
                }
                let mediaType = storedMediaType(of: digest, told: proof?.mediaType)
                return stored.answer(digest, mediaType, outcome)
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
            await read(digest, in: repository, upstream, deliver: deliver)
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
}
