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
            guard let file = try? open(head.digest, .manifest), file.size == size else { return nil }
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
        let inquiry = try inquire(of: repository, for: caller)
        switch reference {
        case .tag(let tag):
            let resolved = try await resolve(tag, inquiry)
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
            return try await content(of: tag, resolved, inquiry)
        case .digest(let digest):
            try recall(.content(digest, .manifest), in: repository)
            if headOnly, try stored(digest) == nil {
                let (proof, isJoined) = try await prove(digest, .manifest, inquiry)
                if let size = proof.size {
                    let outcome: CacheOutcome = isJoined ? .collapsed : .miss
                    let head = ManifestHead(digest: digest, mediaType: proof.mediaType, size: size, outcome: outcome)
                    return ManifestAnswer(head: head, content: nil)
                }
                // Clients take the length of a HEAD for the manifest's: an invented one would be a lie.
            }
            return try await content(of: digest, inquiry, proof: nil, outcome: .hit)
        }
    }

    // MARK: - Content

    /// The content of a resolved tag, or of the last one that is held when the new one cannot be had.
    private func content(
        of tag: Tag,
        _ resolved: ResolvedTag,
        _ inquiry: Inquiry,
        isSecondTry: Bool = false
    ) async throws(MirrorError) -> ManifestAnswer {
        let record = resolved.record
        do throws(MirrorError) {
            // The tag's HEAD has proved the repository to have it, whether or not that is in the index yet.
            return try await content(
                of: record.digest,
                inquiry,
                proof: Proof(mediaType: record.mediaType, size: record.size),
                outcome: resolved.outcome
            )
        } catch {
            if error == .manifestUnknown, !isSecondTry {
                // The tag has moved since, and upstream has dropped what it was: DESIGN rule 3.
                let again = try await resolve(tag, inquiry, isAfresh: true)
                guard again.record.digest != record.digest else { throw error }
                return try await content(of: tag, again, inquiry, isSecondTry: true)
            }
            guard error.isOutage, let held = servable(record, in: inquiry.repository, inquiry.policy),
                let stored = try stored(held.digest)
            else { throw error }
            let outcome = stale(held, in: inquiry.repository, reason: error.label).outcome
            return stored.answer(held.digest, held.mediaType, outcome)
        }
    }

    /// A manifest's content, from the store, or by one GET whoever else asks meanwhile.
    private func content(
        of digest: Digest,
        _ inquiry: Inquiry,
        proof: Proof?,
        outcome: CacheOutcome
    ) async throws(MirrorError) -> ManifestAnswer {
        let repository = inquiry.repository
        var proof = proof
        while inquiry.deadline.remaining > .zero {
            if let stored = try stored(digest) {
                if let membership = index.membership(of: digest, as: .manifest, in: repository) {
                    return stored.answer(digest, membership.mediaType, outcome)
                }
                // Stored by way of another repository: served here after a free HEAD has succeeded here.
                if proof == nil { proof = try await prove(digest, .manifest, inquiry).proof }
                let mediaType = storedMediaType(of: digest, told: proof?.mediaType)
                return stored.answer(digest, mediaType, outcome)
            }
            try recall(.content(digest, .manifest), in: repository)
            let isProved = proof != nil || index.membership(of: digest, as: .manifest, in: repository) != nil
            if !isProved, mayBeNobodys(digest, repository) {
                // A HEAD finds out for nothing: guesses and typing errors cost no quota.
                proof = try await prove(digest, .manifest, inquiry).proof
                continue
            }
            if let answer = try await fetch(digest, inquiry, isProved, outcome) {
                return answer
            }
        }
        throw .tooSlow
    }

    /// Whether no stored manifest names this digest, and a HEAD would tell whether the repository has it.
    private func mayBeNobodys(_ digest: Digest, _ repository: Repository) -> Bool {
        index.claimedSize(of: digest) == nil && !recentClaims.contains(digest) && !refusesHeads(repository.upstream)
    }

    /// Fetches through this repository, or waits for a fetch through another; `nil` means look again.
    private func fetch(
        _ digest: Digest,
        _ inquiry: Inquiry,
        _ isProved: Bool,
        _ outcome: CacheOutcome
    ) async throws(MirrorError) -> ManifestAnswer? {
        let repository = inquiry.repository
        let work = manifestFetches.work(on: digest, for: inquiry.caller) { [self] errand, deliver in
            await read(digest, inquiry, errand, deliver: deliver)
        }
        guard let work else { throw .shuttingDown }
        guard let fetch = await work.promise.value(until: inquiry.deadline) else {
            throw Task.isCancelled ? .shuttingDown : .tooSlow
        }
        switch fetch.result {
        case nil: return nil
        case .success(let fetched):
            if fetch.source != repository {
                // Another repository's bytes: they are here, and a HEAD must say that they are here too.
                guard isProved else {
                    _ = try await prove(digest, .manifest, inquiry)
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
