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

/// The pull limit: manifest GETs count, HEADs show the same headers for nothing.
package struct HubQuota: Sendable {
    package var limit: Int
    package var window: Int
    package var spent = 0

    package init(limit: Int = 100, window: Int = 3600) {
        self.limit = limit
        self.window = window
    }

    package var remaining: Int { max(0, limit - spent) }

    var headers: HTTPHeaders {
        ["ratelimit-limit": "\(limit);w=\(window)", "ratelimit-remaining": "\(remaining);w=\(window)"]
    }
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
    package var quota: HubQuota? = HubQuota()
    package var supportsReferrers = true
    package var tagPageSize = 100
    /// Blobs are answered 307 to the CDN; otherwise by the registry itself.
    package var redirectsBlobs = true

    package init() {}
}

/// Everything that the three servers share; one lock around it in ``ScriptedHub``.
struct HubState: Sendable {
    var options = HubOptions()
    var repositories: [String: HubRepository] = [:]
    var accounts: Set<HubAccount> = []
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

    func origin(_ role: HubRole) -> String { "http://127.0.0.1:\(ports[role] ?? 0)" }

    /// Takes the faults that are meant for a request, counting them down.
    mutating func takeFaults(for request: HubRequest) -> [Fault] {
        guard let index = rules.firstIndex(where: { $0.timesLeft != 0 && $0.matcher.matches(request) }) else {
            return []
        }
        if let left = rules[index].timesLeft { rules[index].timesLeft = left - 1 }
        return rules[index].faults
    }

    mutating func reply(to request: HubRequest) -> HubReply {
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
