import NIOHTTP1
import OCI

/// How the registry wants to be asked.
package enum HubAuthentication: Sendable {
    /// A `Bearer` challenge that names the token server, as Docker Hub does.
    case bearer
    /// A `Basic` challenge, as Amazon's private registries do.
    case basic
    /// No challenge at all.
    case open
}

/// A user name and what proves it.
package struct HubAccount: Hashable, Sendable {
    package let user: String
    package let password: String

    package init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    var basic: String { "Basic " + Base64.encode("\(user):\(password)") }
}

/// What a repository holds.
struct HubRepository: Sendable {
    var tags: [String: Digest] = [:]
    var manifests: [Digest: ManifestContent] = [:]
    var blobs: [Digest: Content] = [:]
    /// `nil` for a public repository.
    var owner: HubAccount?
}

/// The options that tests turn.
package struct HubOptions: Sendable {
    package var authentication = HubAuthentication.bearer
    package var tokenLifetime = 300
    /// The limit of those without an account; `nil` is none.
    package var quota: HubQuota? = HubQuota()
    package var rateLimitSpelling = RateLimitSpelling.plain
    /// How a refusal by the pull limit says when its window ends; `nil` is not at all, as Docker Hub does.
    package var retryAfter: RetryAfter?
    /// Whether the pull limit refuses HEADs as well.
    package var limitsHeads = false
    package var supportsReferrers = true
    package var tagPageSize = 100
    /// Blobs are answered 307 to the CDN; otherwise by the registry itself.
    package var redirectsBlobs = true
    /// The names of the CDN, in the order in which redirects give them.
    package var cdnHosts = ["127.0.0.1"]

    package init() {}
}

/// Everything that the three servers share; one lock around it in ``ScriptedHub``.
struct HubState: Sendable {
    var options = HubOptions()
    var repositories: [String: HubRepository] = [:]
    var accounts: Set<HubAccount> = []
    /// By user name; an account that is not here has no limit.
    var accountQuotas: [String: HubQuota] = [:]
    /// How far the Hub's clock is ahead of ours.
    var clockSkew = Duration.zero
    private let startedAt = ContinuousClock.now
    var rules: [FaultRule] = []
    var log = RequestLog()
    /// What may be asked for although it is not there.
    var expectedMissing: [RequestMatcher] = []
    var ports: [HubRole: Int] = [:]

    /// Token → the repositories that it opens, and for which account.
    var tokens: [String: HubToken] = [:]
    /// Every token that was ever issued.
    var everyToken: [String] = []
    /// `verify` parameter → digest, of every signed URL that was given out.
    var signatures: [String: Digest] = [:]
    private var random = SeededRandom(seed: 0x7469_6465)

    /// A value that must never be found in a log: easy to grep for.
    mutating func secret(_ prefix: String) -> String {
        prefix + String(random.next(), radix: 16) + String(random.next(), radix: 16)
    }

    /// The time on the Hub's own clock, since it was started.
    var now: Duration { startedAt.duration(to: .now) + clockSkew }

    func origin(_ role: HubRole) -> String { "http://127.0.0.1:\(ports[role] ?? 0)" }

    /// Takes the faults that are meant for a request, counting them down.
    mutating func takeFaults(for request: HubRequest) -> [Fault] {
        guard let index = rules.firstIndex(where: { $0.timesLeft != 0 && $0.matcher.matches(request) }) else {
            return []
        }
        if let left = rules[index].timesLeft { rules[index].timesLeft = left - 1 }
        return rules[index].faults
    }

    /// The real answer, with everything that it changes; nothing is changed when the script answers instead.
    mutating func reply(to request: HubRequest, isReplaced: Bool) -> HubReply {
        guard isReplaced else { return reply(to: request) }
        var rehearsal = self
        return rehearsal.reply(to: request)
    }

    private mutating func reply(to request: HubRequest) -> HubReply {
        switch request.role {
        case .registry: registryReply(to: request)
        case .tokens: tokenReply(to: request)
        case .cdn: cdnReply(to: request)
        }
    }
}

/// What a token opens.
struct HubToken: Sendable {
    var repositories: Set<String>
    var account: HubAccount?
}
