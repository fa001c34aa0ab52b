import Locking
package import OCI

/// A list of referrers, and how it was come by.
struct FoundReferrers: Sendable {
    var bytes: [UInt8]
    /// What it is made of could not be confirmed: it is served, and not kept as if it had been.
    var staleness: CacheOutcome?
}

/// Referrers: always an image index, from the API or from the tag that stands in for it. DESIGN rule 16a.
extension PullThrough {
    package func referrers(
        of digest: Digest,
        artifactType: String?,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> ReferrersDocument {
        let (document, outcome) = try await referrers(of: digest, in: repository, for: caller)
        guard let artifactType, let index = ReferrersIndex(document) else {
            return ReferrersDocument(bytes: document, isFiltered: false, outcome: outcome)
        }
        let filtered = index.filtered(byArtifactType: artifactType)
        return ReferrersDocument(bytes: filtered.bytes, isFiltered: true, outcome: outcome)
    }

    private func referrers(
        of digest: Digest,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> ([UInt8], CacheOutcome) {
        let inquiry = try inquire(of: repository, for: caller)
        let known = index.list(.referrers(digest), in: repository)
        if let known,
            let outcome = withoutWaiting(known, inquiry, refresh: { _ = search(digest, inquiry.inBackground) })
        {
            return (known.bytes, outcome)
        }
        try recall(.referrers(digest), in: repository)
        let patience = patience(for: known, inquiry)
        while true {
            guard let work = search(digest, inquiry) else { throw .shuttingDown }
            let answer = await work.promise.value(until: patience)
            if case .success(let found) = answer {
                let outcome = known == nil || work.isJoined ? work.outcome : .revalidated
                return (found.bytes, found.staleness ?? outcome)
            }
            // A failure is an error or what was known before; never "there are none".
            let failure = answer?.failure ?? .tooSlow
            if case .limited(.reserve, _) = failure, work.excuses(caller) {
                // The reserve is for pulls.
                await Task.yield()
                continue
            }
            guard let (stale, outcome) = fallback(known, StaleReason(failure), inquiry) else { throw failure }
            return (stale.bytes, outcome)
        }
    }

    /// Joins the search for a digest's referrers, or starts it; `nil` when shutting down.
    private func search(
        _ digest: Digest,
        _ inquiry: Inquiry
    ) -> WorkTable<ContentKey, Result<FoundReferrers, MirrorError>>.Work? {
        let repository = inquiry.repository
        let key = ContentKey(repository: repository, digest: digest, kind: .manifest)
        return referrerLists.work(on: key, for: inquiry.caller) { [self] errand, deliver in
            do throws(MirrorError) {
                let found = try await askReferrers(of: digest, inquiry, errand)
                deliver(.success(found))
                guard found.staleness == nil else { return }
                let record = ListRecord(bytes: found.bytes, checkedAt: time.wall())
                await self.record([.list(.referrers(digest), in: repository, record)])
            } catch {
                if error == .repositoryUnknown || error == .denied {
                    remember(error, of: .referrers(digest), in: repository)
                }
                deliver(.failure(error))
            }
        }
    }

    private func askReferrers(
        of digest: Digest,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(MirrorError) -> FoundReferrers {
        let repository = inquiry.repository
        if hasReferrersAPI(repository) {
            do throws(UpstreamError) {
                let answer = try await ask(inquiry, .free) { upstream async throws(UpstreamError) in
                    try await upstream.referrers(of: digest, in: repository.name, for: errand)
                }
                switch answer {
                case .pages(let pages):
                    if let document = Self.document(of: pages) { return FoundReferrers(bytes: document) }
                case .unsupported: break
                }
                forgetReferrersAPI(of: repository)
            } catch {
                guard error == .notFound else { throw MirrorError(error, missing: .repositoryUnknown) }
            }
        }
        let caller = Caller(address: errand.client, purpose: errand.purpose, reserve: errand.reserve)
        return try await referrersByTag(of: digest, in: repository, caller)
    }

    /// The index under the tag `sha256-<hex>`, found by HEAD, so that no quota is spent on an absence.
    private func referrersByTag(
        of digest: Digest,
        in repository: Repository,
        _ caller: Caller
    ) async throws(MirrorError) -> FoundReferrers {
        let none = ReferrersIndex.empty.bytes
        let tag = Reference.tag(Tag(referrersOf: digest))
        do throws(MirrorError) {
            let head = try await manifest(tag, in: repository, headOnly: true, for: caller).head
            let staleness = if case .stale = head.outcome { head.outcome } else { CacheOutcome?.none }
            // GitLab's registry answers this tag with the subject itself.
            guard head.digest != digest, head.mediaType == MediaType.ociIndex else {
                return FoundReferrers(bytes: none, staleness: staleness)
            }
            let content = try await manifest(.digest(head.digest), in: repository, headOnly: false, for: caller).content
            let bytes = try await bytes(of: content)
            return FoundReferrers(bytes: ReferrersIndex(bytes) == nil ? none : bytes, staleness: staleness)
        } catch {
            guard error == .manifestUnknown else { throw error }
            return FoundReferrers(bytes: none)
        }
    }

    private func bytes(of content: ManifestAnswer.Content?) async throws(MirrorError) -> [UInt8] {
        switch content {
        case nil: return []
        case .bytes(let bytes): return bytes
        case .file(let file):
            do throws(StoreError) {
                return try await context.store.contents(of: file)
            } catch {
                throw MirrorError(storage: error)
            }
        }
    }

    /// One page as upstream sent it; several as one document.
    private static func document(of pages: [[UInt8]]) -> [UInt8]? {
        guard let first = pages.first, var index = ReferrersIndex(first) else { return nil }
        guard pages.count > 1 else { return first }
        for page in pages.dropFirst() {
            guard let next = ReferrersIndex(page) else { return nil }
            index = index.appending(next)
        }
        return index.bytes
    }

    // MARK: - Which repositories have the API

    /// By repository, because a registry may answer 404 for one that does not exist, and must not silence the others.
    private func hasReferrersAPI(_ repository: Repository) -> Bool {
        let now = time.monotonic()
        return habits.withLock { habits in
            guard let since = habits.hasNoReferrers[repository] else { return true }
            return now - since > UpstreamHabits.probeInterval
        }
    }

    private func forgetReferrersAPI(of repository: Repository) {
        let now = time.monotonic()
        habits.withLock { habits in
            if habits.hasNoReferrers.count >= UpstreamHabits.capacity { habits.hasNoReferrers = [:] }
            habits.hasNoReferrers[repository] = now
        }
    }
}
