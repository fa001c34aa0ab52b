import Locking
package import OCI

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
        let policy = inquiry.policy
        let known = index.list(.referrers(digest), in: repository)
        if let known, isFresh(known, policy) { return (known.bytes, .hit) }

        let key = ContentKey(repository: repository, digest: digest, kind: .manifest)
        let work = referrerLists.work(on: key, for: caller) { [self] errand, deliver in
            do throws(MirrorError) {
                let document = try await askReferrers(of: digest, inquiry, errand)
                deliver(.success(document))
                let record = ListRecord(bytes: document, checkedAt: time.wall())
                await self.record([.list(.referrers(digest), in: repository, record)])
            } catch {
                deliver(.failure(error))
            }
        }
        guard let work else { throw .shuttingDown }
        let patience = patience(for: known, policy)
        let answer = await work.promise.value(until: time.deadline(in: patience))
        if case .success(let document) = answer {
            return (document, known == nil || work.isJoined ? work.outcome : .revalidated)
        }
        // A failure is an error or what was known before; never "there are none".
        let failure = answer?.failure ?? .tooSlow
        guard failure.isOutage, let (stale, outcome) = fallback(known, after: nil, in: repository, policy) else {
            throw failure
        }
        return (stale.bytes, outcome)
    }

    private func askReferrers(
        of digest: Digest,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(MirrorError) -> [UInt8] {
        let (upstream, repository) = (inquiry.upstream, inquiry.repository)
        if hasReferrersAPI(repository) {
            do throws(UpstreamError) {
                switch try await upstream.referrers(of: digest, in: repository.name, for: errand) {
                case .pages(let pages): if let document = Self.document(of: pages) { return document }
                case .unsupported: break
                }
                forgetReferrersAPI(of: repository)
            } catch {
                guard error == .notFound else { throw MirrorError(error, missing: .repositoryUnknown) }
            }
        }
        return try await referrersByTag(of: digest, in: repository, inquiry.caller)
    }

    /// The index under the tag `sha256-<hex>`, found by HEAD, so that no quota is spent on an absence.
    private func referrersByTag(
        of digest: Digest,
        in repository: Repository,
        _ caller: Caller
    ) async throws(MirrorError) -> [UInt8] {
        let none = ReferrersIndex.empty.bytes
        let tag = Reference.tag(Tag(referrersOf: digest))
        do throws(MirrorError) {
            let head = try await manifest(tag, in: repository, headOnly: true, for: caller).head
            // GitLab's registry answers this tag with the subject itself.
            guard head.digest != digest, head.mediaType == MediaType.ociIndex else { return none }
            let content = try await manifest(.digest(head.digest), in: repository, headOnly: false, for: caller).content
            let bytes = try await bytes(of: content)
            return ReferrersIndex(bytes) == nil ? none : bytes
        } catch {
            guard error == .manifestUnknown else { throw error }
            return none
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
