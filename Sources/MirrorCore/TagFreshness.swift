import OCI

/// What of tags may be served, and for how long without asking. DESIGN rules 2 and 10.
extension PullThrough {
    /// What is done about a tag before it is served.
    ///
    /// A tag that is gone is not used as it is; the upstream's readiness is looked at only when `tag_ttl` is over.
    func revalidation(
        of record: TagRecord,
        _ tag: Tag,
        in repository: Repository,
        _ policy: UpstreamPolicy
    ) -> Revalidation {
        if !record.isGone, policy.immutableTags.contains(where: { $0.matches(tag.text) }) { return .unneeded }
        return Revalidation(
            age: record.isGone ? nil : record.checkedAt.age(at: time.wall()),
            ttl: policy.tagTTL,
            readiness: readiness(of: repository)
        )
    }

    /// Why a tag's new manifest cannot be had at present, for a tag that moved while the one before it is held.
    ///
    /// Who asks by HEAD will want the manifest next (containerd does), so a HEAD's answer follows the same rule.
    func obstacle(to record: TagRecord, in repository: Repository) -> StaleReason? {
        guard record.held != nil, storedSize(of: record.digest) == nil,
            case .held(let reason) = readiness(of: repository, toRead: record.digest)
        else { return nil }
        return reason
    }

    /// What of a tag is held and may be served without a check: its manifest, or the one before.
    ///
    /// It is as recent as the policy wants it, or the tag is pinned.
    func servable(
        _ record: TagRecord,
        _ tag: Tag,
        in repository: Repository,
        _ policy: UpstreamPolicy
    ) -> TagRecord? {
        guard !record.isGone || isServedWhenGone(tag, in: repository, policy) else { return nil }
        var candidates = [TagRecord.Held(digest: record.digest, checkedAt: record.checkedAt)]
        if let held = record.held { candidates.append(held) }
        for candidate in candidates {
            let isRecent = candidate.checkedAt.age(at: time.wall()).map { $0 < policy.staleIfError } ?? false
            guard isRecent || index.hasPin(.tag(tag), in: repository),
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

    /// Whether a tag that upstream has no more is served all the same.
    func isServedWhenGone(_ tag: Tag, in repository: Repository, _ policy: UpstreamPolicy) -> Bool {
        policy.onUpstreamGone == .serve || index.hasPin(.tag(tag), in: repository)
    }

    func stale(_ record: TagRecord, in repository: Repository, _ reason: StaleReason) -> ResolvedTag {
        ResolvedTag(record: record, outcome: staleOutcome(reason, checkedAt: record.checkedAt, in: repository))
    }

    /// Counts a stale answer.
    func staleOutcome(_ reason: StaleReason, checkedAt: WallTime, in repository: Repository) -> CacheOutcome {
        context.metrics.add(to: .staleServed, repository.upstream.text, reason.rawValue)
        return .stale(reason: reason.rawValue, checkedAt: checkedAt)
    }
}
