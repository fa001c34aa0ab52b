/// What the mirror tells those who look after it.
///
/// ``QuotaSurvey`` implements it; tests of the edge script it.
package protocol Administration: Sendable {
    /// What is known of each upstream's quota, upstreams in alphabetical order.
    ///
    /// With `mayAsk`, a registry of which nothing is known may be asked, by a request that is free.
    func quota(mayAsk: Bool) async -> [UpstreamQuota]
}

/// One upstream's quota, for one account.
package struct UpstreamQuota: Hashable, Sendable {
    package var upstream: UpstreamName
    /// `nil` when the upstream has told nothing, and nothing was spent.
    package var status: QuotaStatus?
    /// The label of the error that came of asking it.
    package var problem: String?

    package init(upstream: UpstreamName, status: QuotaStatus? = nil, problem: String? = nil) {
        self.upstream = upstream
        self.status = status
        self.problem = problem
    }
}
