import Curl
import MirrorCore
import OCI

/// Keeps an upstream's quota ledger: charges manifest reads, and passes on what answers say.
struct QuotaMeter: Sendable {
    let upstream: UpstreamName
    let ledger: any QuotaLedger

    /// Sends a request to the registry's endpoint.
    ///
    /// A manifest read is claimed before, and settled by what came of it. Throws `.reserved` when the ledger grants none.
    func send(
        _ request: Requester.Request,
        for call: RegistryClient.Call,
        presenting presented: Authoriser.Presented,
        by requester: Requester
    ) async throws(UpstreamError) -> Answer {
        let account = QuotaAccount(upstream: upstream, account: presented.account)
        // A redirect within the registry belongs to the read that led there.
        let isRead = request.kind == .manifest && request.method == .get
        let errand = call.errand
        let claim = isRead ? try await ledger.claim(for: errand.purpose, on: account, keeping: errand.reserve) : nil
        let mark = ledger.mark()
        let attempt = await requester.attempt(request)
        if let claim { ledger.settle(claim, isSpent: attempt.mayHaveCounted) }
        let answer = try attempt.result.get()
        if let observation = QuotaObservation(answer, isManifest: call.isManifest, now: Answer.secondsSince1970) {
            ledger.observe(observation, on: account, since: mark)
        }
        return answer
    }
}

extension Requester.Attempt {
    /// Whether the registry may have counted it as a pull: only an error, or nothing having been sent, rules that out.
    fileprivate var mayHaveCounted: Bool {
        status.map { (200..<400).contains($0) } ?? wasSent
    }
}

extension Authoriser.Presented {
    /// Whose quota it draws on: a user name, where what was presented has one.
    var account: String {
        switch self {
        case .nothing: QuotaAccount.anonymous
        case .token(_, let key, _): key.credentials.account
        case .basic(let credentials): credentials.account
        case .fixed: Credentials.namelessAccount
        }
    }
}

extension Credentials {
    /// The account of tokens that do not say whose they are.
    fileprivate static let namelessAccount = "token"

    fileprivate var account: String {
        switch self {
        case .anonymous: QuotaAccount.anonymous
        case .password(let username, _): username
        case .identityToken, .registryToken: Self.namelessAccount
        }
    }
}

extension QuotaObservation {
    /// Reads an answer of a registry; `nil` when it tells nothing of a quota.
    ///
    /// `now` is in seconds since 1970. Limits without a window (`180`) are of requests, not of pulls, and are left out.
    init?(_ answer: Answer, isManifest: Bool, now: Int) {
        // A challenge is not about anybody's account.
        guard answer.status != 401 else { return nil }
        let head = answer.head
        let window = RateLimitAnswer.window(head)
        let limit = answer.rateLimit
        self.init(
            limit: window?.limit,
            window: window?.length,
            remaining: RateLimitAnswer.remaining(head, hasWindow: window != nil),
            source: head["Docker-RateLimit-Source"].flatMap { $0.isEmpty ? nil : $0 },
            isManifest: isManifest && answer.status == 200,
            isRefusal: isManifest && limit?.scope == .pull
        )
        resetsIn =
            isRefusal && limit?.isStated == true
            ? limit?.wait : (window == nil ? nil : RateLimitAnswer.reset(head, now: now))
        guard self != QuotaObservation() else { return nil }
    }
}

extension RateLimitAnswer {
    /// `ratelimit-remaining: 87;w=21600`, in any of the spellings.
    ///
    /// A number without a window counts only beside a limit that has one.
    static func remaining(_ head: ResponseHead, hasWindow: Bool) -> Int? {
        guard let value = head["RateLimit-Remaining"] ?? head["X-RateLimit-Remaining"] else { return nil }
        let parts = value.split(separator: ";").map(\.trimmed)
        guard let remaining = parts.first.flatMap({ Int($0) }), remaining >= 0 else { return nil }
        return hasWindow || parts.contains { $0.hasPrefix("w=") } ? remaining : nil
    }

    /// How long until the quota is back, by a reset time: seconds, or a time in seconds since 1970.
    static func reset(_ head: ResponseHead, now: Int) -> Duration? {
        (head["RateLimit-Reset"] ?? head["X-RateLimit-Reset"]).flatMap { wait($0, now: now) }
            .map { min($0, window(head)?.length ?? longestWait) }
    }
}
