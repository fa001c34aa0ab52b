import Logging
package import OCI

/// A HEAD's answer for content that a repository has.
struct Proof: Hashable, Sendable {
    var mediaType: String
    var size: Int?
}

/// Manifests: fetched by digest, verified, kept for ever. DESIGN rules 1, 3, 13 and 15.
extension PullThrough {
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
            guard !headOnly else {
                return ManifestAnswer(head: ManifestHead(resolved.record, resolved.outcome), content: nil)
            }
            return try await content(of: tag, resolved, inquiry)
        case .digest(let digest):
            try recall(.content(digest, .manifest), in: repository)
            if headOnly, try await stored(digest, inquiry) == nil {
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
        // Where another copy can be served, a new manifest is waited for no longer than a check is.
        let isMissing = record.held != nil && storedSize(of: record.digest) == nil
        let held = isMissing ? servable(record, tag, in: inquiry.repository, inquiry.policy) : nil
        let patient = held == nil ? inquiry : inquiry.within(inquiry.policy.revalidateWithin)
        do throws(MirrorError) {
            // The tag's HEAD has proved the repository to have it, whether or not that is in the index yet.
            return try await content(
                of: record.digest,
                patient,
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
            guard let reason = StaleReason(error),
                let held = servable(record, tag, in: inquiry.repository, inquiry.policy),
                let stored = try await stored(held.digest, inquiry)
            else { throw error }
            let outcome = stale(held, in: inquiry.repository, reason).outcome
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
            if let stored = try await stored(digest, inquiry) {
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
            let isClaimed = isProved || claimedSize(of: digest, in: repository) != nil
            if !isClaimed, !refusesHeads(repository.upstream) {
                // A HEAD finds out for nothing: guesses and typing errors cost no quota.
                proof = try await prove(digest, .manifest, inquiry).proof
                continue
            }
            let prospect = ManifestProspect(isKnown: isClaimed, isProved: isProved, mediaType: proof?.mediaType)
            if let answer = try await fetch(digest, prospect, inquiry, outcome) {
                return answer
            }
        }
        throw .tooSlow
    }

    /// The size that a manifest of a repository gives for a digest: a claim that the repository has it.
    func claimedSize(of digest: Digest, in repository: Repository) -> Int? {
        index.claimedSize(of: digest, in: repository) ?? recentClaims.size(of: digest, in: repository)
    }

    /// Fetches through this repository, or waits for a fetch through another; `nil` means look again.
    private func fetch(
        _ digest: Digest,
        _ prospect: ManifestProspect,
        _ inquiry: Inquiry,
        _ outcome: CacheOutcome
    ) async throws(MirrorError) -> ManifestAnswer? {
        let repository = inquiry.repository
        let work = manifestFetches.work(on: digest, for: inquiry.caller) { [self] errand, deliver in
            await read(digest, prospect, inquiry, errand, deliver: deliver)
        }
        guard let work else { throw .shuttingDown }
        guard let fetch = await work.promise.value(until: inquiry.deadline) else {
            throw Task.isCancelled ? .shuttingDown : .tooSlow
        }
        switch fetch.result {
        case nil: return nil
        case .success(let fetched):
            // Another repository's bytes: they are here, and a HEAD must say that this one has them too.
            guard fetch.source == repository || prospect.isProved else {
                _ = try await prove(digest, .manifest, inquiry)
                return nil
            }
            let isStale = if case .stale = outcome { true } else { false }
            let head = ManifestHead(
                digest: digest,
                mediaType: ManifestType.name(of: fetched.bytes, told: fetched.mediaType),
                size: fetched.bytes.count,
                outcome: isStale ? outcome : work.outcome
            )
            return ManifestAnswer(head: head, content: .bytes(fetched.bytes))
        case .failure(let failure):
            // What another repository was told says nothing about this one, nor what background work was refused about
            // a pull: ask for ourselves, once that work has ended.
            guard fetch.source != repository || failure.wasReserved && work.excuses(inquiry.caller) else {
                throw failure.error
            }
            await Task.yield()
            return nil
        }
    }
}
