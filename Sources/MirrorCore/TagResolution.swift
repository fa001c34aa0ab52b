import OCI

/// A tag, resolved to what it names now.
struct ResolvedTag: Hashable, Sendable {
    var record: TagRecord
    var outcome: CacheOutcome
}

/// Tags: resolved by HEAD, used for `tag_ttl`, served stale when upstream cannot be asked. DESIGN rules 1, 2, 3 and 10.
extension PullThrough {
    /// Finds out what a tag names, from the cache or by a HEAD that all concurrent askers share.
    func resolve(
        _ tag: Tag,
        _ inquiry: Inquiry,
        isAfresh: Bool = false
    ) async throws(MirrorError) -> ResolvedTag {
        let repository = inquiry.repository
        let known = index.tag(tag, in: repository)
        let fallback = known.flatMap { servable($0, tag, in: repository, inquiry.policy) }
        if let known, !isAfresh, let resolved = withoutWaiting(tag, known, fallback, inquiry) { return resolved }
        // A negative answer holds for `negative_ttl`, for a tag that is held as for another.
        if !isAfresh, let refusal = recalled(.tag(tag), in: repository) {
            return try afterRefusal(refusal, of: tag, in: repository, fallback, inquiry.policy)
        }
        let patience = fallback == nil ? inquiry.deadline : inquiry.within(inquiry.policy.revalidateWithin).deadline
        while true {
            guard let work = check(tag, inquiry, known, isAfresh: isAfresh) else { throw .shuttingDown }
            switch await work.promise.value(until: patience) {
            case .success(let checked):
                // The answer to the check may be what tells that no manifest can be read now.
                if let reason = obstacle(to: checked.record, in: repository),
                    let held = servable(checked.record, tag, in: repository, inquiry.policy)
                {
                    return stale(held, in: repository, reason)
                }
                let outcome: CacheOutcome = checked.isUnchanged ? .revalidated : work.outcome
                return ResolvedTag(record: checked.record, outcome: outcome)
            case .failure(.reserved) where work.excuses(inquiry.caller):
                // What was refused to background work is not refused to a pull.
                await Task.yield()
            case .failure(let error):
                return try afterFailure(error, of: tag, in: repository, fallback, inquiry.policy)
            case nil:
                guard let fallback else { throw .tooSlow }
                return stale(fallback, in: repository, .timeout)
            }
        }
    }

    /// What a known tag is served as without a question in the asker's time, if it is.
    private func withoutWaiting(
        _ tag: Tag,
        _ known: TagRecord,
        _ fallback: TagRecord?,
        _ inquiry: Inquiry
    ) -> ResolvedTag? {
        let repository = inquiry.repository
        switch revalidation(of: known, tag, in: repository, inquiry.policy) {
        case .unneeded:
            if let reason = obstacle(to: known, in: repository), let fallback {
                return stale(fallback, in: repository, reason)
            }
            return ResolvedTag(record: known, outcome: .hit)
        case .due: return nil
        case .deferred(let reason):
            guard let fallback else { return nil }
            if context.standings.claimCheck(of: repository.upstream, reason) {
                _ = check(tag, inquiry.inBackground, known, isAfresh: false)
            }
            return stale(fallback, in: repository, reason)
        }
    }

    /// What an asker gets when the check failed.
    private func afterFailure(
        _ error: UpstreamError,
        of tag: Tag,
        in repository: Repository,
        _ fallback: TagRecord?,
        _ policy: UpstreamPolicy
    ) throws(MirrorError) -> ResolvedTag {
        if let fallback, let reason = StaleReason(error) { return stale(fallback, in: repository, reason) }
        let refusal = MirrorError(error, missing: .manifestUnknown)
        return try afterRefusal(refusal, of: tag, in: repository, fallback, policy)
    }

    /// What an asker gets when upstream said, now or a moment ago, that a tag is not there or not for us.
    private func afterRefusal(
        _ refusal: MirrorError,
        of tag: Tag,
        in repository: Repository,
        _ fallback: TagRecord?,
        _ policy: UpstreamPolicy
    ) throws(MirrorError) -> ResolvedTag {
        guard let fallback else { throw refusal }
        if refusal == .manifestUnknown, isServedWhenGone(tag, in: repository, policy) {
            return stale(fallback, in: repository, .gone)
        }
        if refusal == .denied, let age = fallback.checkedAt.age(at: time.wall()), age < policy.deniedGrace {
            return stale(fallback, in: repository, .denied)
        }
        throw refusal
    }
}
