import Logging
import OCI

/// What a check of a tag found.
struct CheckedTag: Hashable, Sendable {
    var record: TagRecord
    /// Whether the cache knew it so before.
    var isUnchanged: Bool
}

/// A tag, resolved to what it names now.
struct ResolvedTag: Hashable, Sendable {
    var record: TagRecord
    var outcome: CacheOutcome
}

/// Tags: resolved by HEAD, used for `tag_ttl`, served stale when upstream cannot be asked. DESIGN rules 1, 2, 3 and 10.
extension PullThrough {
    /// Whether a tag may be used without asking.
    func isFresh(_ record: TagRecord, _ tag: Tag, _ policy: UpstreamPolicy) -> Bool {
        guard !record.isGone else { return false }
        if policy.immutableTags.contains(where: { $0.matches(tag.text) }) { return true }
        guard let age = record.checkedAt.age(at: time.wall()) else { return false }
        return age < policy.tagTTL
    }

    /// Finds out what a tag names, from the cache or by a HEAD that all concurrent askers share.
    func resolve(
        _ tag: Tag,
        _ inquiry: Inquiry,
        isAfresh: Bool = false
    ) async throws(MirrorError) -> ResolvedTag {
        let (repository, policy) = (inquiry.repository, inquiry.policy)
        let known = index.tag(tag, in: repository)
        if let known, !isAfresh, isFresh(known, tag, policy) { return ResolvedTag(record: known, outcome: .hit) }
        let fallback = known.flatMap { servable($0, in: repository, policy) }
        if fallback == nil { try recall(.tag(tag), in: repository) }

        let key = TagKey(repository: repository, tag: tag)
        let work = tagChecks.work(on: key, for: inquiry.caller) { [self] errand, deliver in
            // A check that ended since this asker looked has recorded its answer: entries leave the table after that.
            if !isAfresh, let now = index.tag(tag, in: repository), isFresh(now, tag, policy) {
                return deliver(.success(CheckedTag(record: now, isUnchanged: true)))
            }
            await check(tag, inquiry, known: known, errand, deliver: deliver)
        }
        guard let work else { throw .shuttingDown }
        let patience = fallback == nil ? inquiry.deadline : inquiry.deadline.orSooner(policy.revalidateWithin)
        switch await work.promise.value(until: patience) {
        case .success(let checked):
            let outcome: CacheOutcome = checked.isUnchanged ? .revalidated : work.outcome
            return ResolvedTag(record: checked.record, outcome: outcome)
        case .failure(let error):
            return try afterFailure(error, in: repository, fallback: fallback, policy)
        case nil:
            guard let fallback else { throw .tooSlow }
            return stale(fallback, in: repository, reason: "timeout")
        }
    }

    /// What of a tag is held and recent enough to be served without a check: its manifest, or the one before.
    func servable(_ record: TagRecord, in repository: Repository, _ policy: UpstreamPolicy) -> TagRecord? {
        guard !record.isGone || policy.onUpstreamGone == .serve else { return nil }
        var candidates = [TagRecord.Held(digest: record.digest, checkedAt: record.checkedAt)]
        if let held = record.held { candidates.append(held) }
        for candidate in candidates {
            guard let age = candidate.checkedAt.age(at: time.wall()), age < policy.staleIfError,
                let size = storedSize(of: candidate.digest),
                let membership = index.membership(of: candidate.digest, as: .manifest, in: repository)
            else { continue }
            var servable = record
            servable.digest = candidate.digest
            servable.checkedAt = candidate.checkedAt
            servable.mediaType = membership.mediaType
            servable.size = size
            return servable
        }
        return nil
    }

    /// What an asker gets when the check failed.
    private func afterFailure(
        _ error: UpstreamError,
        in repository: Repository,
        fallback: TagRecord?,
        _ policy: UpstreamPolicy
    ) throws(MirrorError) -> ResolvedTag {
        if let fallback {
            if error.isOutage { return stale(fallback, in: repository, reason: error.label) }
            if error == .notFound, policy.onUpstreamGone == .serve {
                return stale(fallback, in: repository, reason: "gone")
            }
            if error == .denied, let age = fallback.checkedAt.age(at: time.wall()), age < policy.deniedGrace {
                return stale(fallback, in: repository, reason: error.label)
            }
        }
        throw MirrorError(error, missing: .manifestUnknown)
    }

    func stale(_ record: TagRecord, in repository: Repository, reason: String) -> ResolvedTag {
        context.metrics.add(to: .staleServed, repository.upstream.text, reason)
        return ResolvedTag(record: record, outcome: .stale(reason: reason, checkedAt: record.checkedAt))
    }

    // MARK: - The check, once for all askers

    private func check(
        _ tag: Tag,
        _ inquiry: Inquiry,
        known: TagRecord?,
        _ errand: Errand,
        deliver: @Sendable (Result<CheckedTag, UpstreamError>) -> Void
    ) async {
        let repository = inquiry.repository
        do throws(UpstreamError) {
            var (record, changes) = try await ask(tag, inquiry, errand)
            record.held = held(known, besides: record.digest)
            // What came along with the tag is stored before anybody looks for it.
            if changes.count > 1 { await self.record(changes) }
            let isUnchanged = known.map { $0.digest == record.digest && !$0.isGone } ?? false
            deliver(.success(CheckedTag(record: record, isUnchanged: isUnchanged)))
            negatives.remove(.init(repository: repository, subject: .tag(tag)))
            await self.record(changes + [.tag(tag, in: repository, record)])
        } catch {
            if error == .notFound || error == .denied {
                remember(MirrorError(error, missing: .manifestUnknown), of: .tag(tag), in: repository)
            }
            deliver(.failure(error))
            if error == .notFound, var gone = known {
                gone.isGone = true
                await self.record([.tag(tag, in: repository, gone)])
            }
            if error.isOutage {
                context.logger.warning(
                    "a tag could not be checked",
                    metadata: ["repository": "\(repository)", "tag": "\(tag)", "error": "\(error.label)"]
                )
            }
        }
    }

    /// The manifest to go back to, should the tag's new one not be had.
    private func held(_ known: TagRecord?, besides digest: Digest) -> TagRecord.Held? {
        guard let known else { return nil }
        guard known.digest != digest, storedSize(of: known.digest) != nil else {
            return known.held?.digest == digest ? nil : known.held
        }
        return TagRecord.Held(digest: known.digest, checkedAt: known.checkedAt)
    }

    /// Asks by HEAD, or where HEADs tell nothing by one GET that fetches the manifest as well.
    private func ask(
        _ tag: Tag,
        _ inquiry: Inquiry,
        _ errand: Errand
    ) async throws(UpstreamError) -> (TagRecord, [IndexChange]) {
        let (upstream, repository) = (inquiry.upstream, inquiry.repository)
        let name = repository.upstream
        if !refusesHeads(name) {
            do throws(UpstreamError) {
                let told = try await upstream.headManifest(.tag(tag), in: repository.name, for: errand)
                if let digest = told.digest, let size = told.size {
                    return describe(digest, size: size, told.mediaType, in: repository)
                }
            } catch {
                guard error == .headUnsupported else { throw error }
            }
            // On Docker Hub a GET costs quota, and a HEAD always tells: something is wrong with that answer.
            guard name != .dockerHub else { throw .unusable("a HEAD without a digest or a length") }
            noteHeadsAreRefused(by: name)
        }
        let fetched = try await upstream.manifest(.tag(tag), in: repository.name, for: errand)
        let digest = context.store.digest(of: fetched.bytes, .sha256)
        let (record, changes) = describe(
            digest,
            size: fetched.bytes.count,
            ManifestType.name(of: fetched.bytes, told: fetched.mediaType),
            in: repository
        )
        let stored = await store(fetched.bytes, as: digest)
        return (record, changes + stored)
    }

    /// The record of a tag that upstream has just told, and the proof that comes with it.
    private func describe(
        _ digest: Digest,
        size: Int,
        _ mediaType: String?,
        in repository: Repository
    ) -> (TagRecord, [IndexChange]) {
        let mediaType = storedMediaType(of: digest, told: mediaType)
        let now = time.wall()
        return (
            TagRecord(digest: digest, mediaType: mediaType, size: size, checkedAt: now),
            [.membership(digest, .manifest, in: repository, Membership(mediaType: mediaType, provedAt: now))]
        )
    }
}
