import OCI

/// Tag lists and lists of referrers that are kept: when they are used, and when they stand in for an answer.
extension PullThrough {
    /// How a kept list is served without a question in the asker's time, if it is.
    ///
    /// `refresh` starts a question that nobody waits for; it is called when one is due.
    func withoutWaiting(_ known: ListRecord, _ inquiry: Inquiry, refresh: () -> Void) -> CacheOutcome? {
        let (repository, policy) = (inquiry.repository, inquiry.policy)
        let revalidation = Revalidation(
            age: known.checkedAt.age(at: time.wall()),
            ttl: policy.tagTTL,
            readiness: readiness(of: repository)
        )
        switch revalidation {
        case .unneeded: return .hit
        case .due: return nil
        case .deferred(let reason):
            guard isServable(known, policy) else { return nil }
            if context.standings.claimCheck(of: repository.upstream, reason) { refresh() }
            return staleOutcome(reason, checkedAt: known.checkedAt, in: repository)
        }
    }

    /// By when an asker is answered: soon where a kept list can be served instead.
    func patience(for known: ListRecord?, _ inquiry: Inquiry) -> Deadline {
        guard let known, isServable(known, inquiry.policy) else { return inquiry.deadline }
        return inquiry.within(inquiry.policy.revalidateWithin).deadline
    }

    /// A kept list that is served although upstream could not be asked.
    func fallback(
        _ known: ListRecord?,
        _ reason: StaleReason?,
        _ inquiry: Inquiry
    ) -> (ListRecord, CacheOutcome)? {
        guard let known, let reason, isServable(known, inquiry.policy) else { return nil }
        return (known, staleOutcome(reason, checkedAt: known.checkedAt, in: inquiry.repository))
    }

    private func isServable(_ known: ListRecord, _ policy: UpstreamPolicy) -> Bool {
        known.checkedAt.age(at: time.wall()).map { $0 < policy.staleIfError } ?? false
    }
}
