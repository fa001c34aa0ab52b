import Locking
import NIOHTTP1
import OCI

/// A scripted Docker Hub: registry, token server and CDN, each on a loopback port of its own.
///
/// It behaves as Docker Hub does (challenge, tokens, quota headers, redirects to signed URLs), serves what was published
/// to it, misbehaves as scripted, and keeps a log of every request. A request that a well-behaved mirror would not have
/// made (something that is not there, a write, `Authorization` at the CDN) is a complaint; see ``complaints``.
package final class ScriptedHub: Sendable {
    private let state = Locked(HubState())
    private let servers = Locked<[HubRole: HubServer]>([:])

    /// Starts the three servers.
    package static func start(_ options: HubOptions = HubOptions()) async throws -> ScriptedHub {
        let hub = ScriptedHub()
        hub.state.withLock { $0.options = options }
        try await hub.restart()
        return hub
    }

    private init() {}

    /// Where the registry is: `http://127.0.0.1:<port>`.
    package var endpoint: String { state.withLock { $0.origin(.registry) } }

    package func port(of role: HubRole) -> Int { state.withLock { $0.ports[role] ?? 0 } }

    // MARK: Outages

    /// Stops servers, all of them by default: connections are cut, and new ones refused.
    package func stop(_ roles: [HubRole] = HubRole.allCases) async {
        for role in roles {
            let server = servers.withLock { $0.removeValue(forKey: role) }
            await server?.stop()
        }
    }

    /// Starts the servers that do not run, on the ports that they had.
    package func restart() async throws {
        for role in HubRole.allCases where servers.withLock({ $0[role] == nil }) {
            let server = try await HubServer.start(role, of: self, port: port(of: role))
            state.withLock { $0.ports[role] = server.port }
            servers.withLock { $0[role] = server }
        }
    }

    // MARK: Content

    /// Makes an image pullable; an owner makes the repository private.
    @discardableResult
    package func publish(
        _ image: TestImage,
        as repository: String,
        tags: [String] = [],
        owner: HubAccount? = nil
    ) -> TestImage {
        state.withLock { state in
            var entry = state.repositories[repository] ?? HubRepository()
            for manifest in image.manifests { entry.manifests[manifest.digest] = manifest }
            for blob in image.blobs { entry.blobs[blob.digest] = blob }
            for tag in tags { entry.tags[tag] = image.digest }
            if let owner {
                entry.owner = owner
                if state.accounts.insert(owner).inserted { state.accountQuotas[owner.user] = HubQuota(limit: 200) }
            }
            state.repositories[repository] = entry
        }
        return image
    }

    /// Adds a blob that no manifest names.
    @discardableResult
    package func publish(_ blob: Content, as repository: String) -> Content {
        state.withLock { $0.repositories[repository, default: HubRepository()].blobs[blob.digest] = blob }
        return blob
    }

    package func removeTag(_ tag: String, of repository: String) {
        state.withLock { $0.repositories[repository]?.tags[tag] = nil }
    }

    /// Makes a repository private.
    package func setOwner(_ owner: HubAccount, of repository: String) {
        addAccount(owner)
        state.withLock { $0.repositories[repository]?.owner = owner }
    }

    /// Adds an account with a pull limit of its own; `nil` is a paid one's, which has none.
    package func addAccount(_ account: HubAccount, quota: HubQuota? = HubQuota(limit: 200)) {
        state.withLock { state in
            state.accounts.insert(account)
            state.accountQuotas[account.user] = quota
        }
    }

    package func configure(_ change: @Sendable (inout HubOptions) -> Void) {
        state.withLock { change(&$0.options) }
    }

    // MARK: Quota

    /// The account of those without a name.
    package var quota: HubQuota? { quota(of: nil) }

    /// The Hub's own account of what a user has spent; `nil` where there is no limit.
    package func quota(of user: String?) -> HubQuota? { state.withLock { $0.quota(of: user) } }

    /// Other machines read so many manifests, as this user or from this address.
    package func spend(_ count: Int, of user: String? = nil) {
        state.withLock { $0.spend(count, of: user, byRequest: false) }
    }

    /// Turns the Hub's clock forward: windows of the pull limit end.
    package func advanceClock(by duration: Duration) {
        state.withLock { $0.clockSkew += duration }
    }

    // MARK: Script

    /// Makes every token that was issued worthless.
    package func expireTokens() {
        state.withLock { $0.tokens.removeAll() }
    }

    /// Plays faults for the next requests that match: `times` of them, or all.
    package func script(_ matcher: RequestMatcher, times: Int? = 1, _ faults: Fault...) {
        state.withLock { $0.rules.append(FaultRule(matcher: matcher, timesLeft: times, faults: faults)) }
    }

    /// Takes back all faults that have not played.
    package func clearScript() {
        state.withLock { $0.rules.removeAll() }
    }

    /// Says that something that is not there may be asked for.
    package func expectMissing(_ matcher: RequestMatcher) {
        state.withLock { $0.expectedMissing.append(matcher) }
    }

    /// Answers a request: the content's answer, or the script's; called on the connection's event loop.
    func plan(for request: HubRequest) -> (plan: ReplyPlan, number: Int) {
        state.withLock { state in
            let faults = state.takeFaults(for: request)
            let reply = state.reply(to: request, isReplaced: faults.contains(where: \.replacesAnswer))
            let number = state.log.append(request)
            state.log.update(number) { $0.complaint = reply.complaint }
            return (ReplyPlan(reply, to: request.method, faults: faults), number)
        }
    }

    func update(_ number: Int, _ change: @Sendable (inout LoggedRequest) -> Void) {
        state.withLock { $0.log.update(number, change) }
    }

    // MARK: What happened

    package var log: RequestLog { state.withLock { $0.log } }

    /// What a mirror should never have asked; a test ends by expecting this to be empty.
    package var complaints: [String] { log.complaints }

    /// Everything that must never appear in a log: passwords, tokens, signatures, and credentials as headers have them.
    package var secrets: [String] {
        state.withLock { state in
            let accounts = state.accounts.flatMap { [$0.password, String($0.basic.dropFirst("Basic ".count))] }
            return accounts + state.everyToken + state.signatures.keys
        }
    }
}
