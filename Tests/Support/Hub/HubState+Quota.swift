import NIOHTTP1

/// Who has spent what: an account of its own for every user, and one for everybody else, by address.
extension HubState {
    /// What the anonymous are charged by: all of them come from one address here.
    static let address = "127.0.0.1"

    static let pullLimitDocument = #"""
        {"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit. \#
        https://www.docker.com/increase-rate-limit"}]}
        """#

    /// The account as it stands now; `nil` for one without a limit, as paid ones are.
    func quota(of user: String?) -> HubQuota? {
        var quota = user.map { accountQuotas[$0] ?? nil } ?? options.quota
        quota?.roll(at: now)
        return quota
    }

    mutating func spend(_ count: Int, of user: String?, byRequest: Bool) {
        guard var quota = quota(of: user) else { return }
        quota.spend(count, byRequest: byRequest, at: now)
        if let user { accountQuotas[user] = quota } else { options.quota = quota }
    }

    /// Charges a manifest GET, or refuses it as Docker Hub does when the limit is reached.
    mutating func charge(_ request: HubRequest) -> HubReply? {
        let user = user(of: request)
        guard let quota = quota(of: user), request.method == .GET || options.limitsHeads else { return nil }
        guard quota.remaining > 0 else { return refusal(quota, source: user) }
        if request.method == .GET { spend(1, of: user, byRequest: true) }
        return nil
    }

    private func refusal(_ quota: HubQuota, source user: String?) -> HubReply {
        var headers = RateLimitSpelling.prefixed.headers(quota)
        headers.add(name: "docker-ratelimit-source", value: user ?? Self.address)
        if let form = options.retryAfter {
            let seconds = Int(quota.timeLeft(at: now).components.seconds) + 1
            headers.add(name: "retry-after", value: form.value(in: seconds))
        }
        return .json(.tooManyRequests, Self.pullLimitDocument, headers)
    }

    /// What every good answer to a manifest request shows; a paid account's shows nothing.
    func quotaHeaders(for request: HubRequest) -> HTTPHeaders {
        let user = user(of: request)
        guard let quota = quota(of: user) else { return [:] }
        var headers = options.rateLimitSpelling.headers(quota)
        headers.add(name: "docker-ratelimit-source", value: user ?? Self.address)
        return headers
    }

    /// Whose request it is; `nil` for nobody's.
    private func user(of request: HubRequest) -> String? {
        guard let authorization = request.authorization else { return nil }
        if let account = accounts.first(where: { $0.basic == authorization }) { return account.user }
        return tokens[String(authorization.dropFirst("Bearer ".count))]?.account?.user
    }
}
