import Curl
import Locking
import Logging
import MirrorCore
import OCI

/// Decides what a request shows of us, from what the registry challenged for before.
///
/// Nothing is asked in advance (`/v2/` says little: registries exist that answer it 200, or 401 with a good token). The
/// first 401 tells, is remembered for the upstream, and later requests bring what it wants.
final class Authoriser: Sendable {
    /// What a request presents.
    enum Presented: Hashable, Sendable {
        case nothing
        case token(Token, TokenKey, isNew: Bool)
        case basic(Credentials)
        /// A token from the settings, which is not ours to renew.
        case fixed(Secret)

        var field: HeaderField? {
            switch self {
            case .nothing: nil
            case .token(let token, _, _): .bearer(token.value)
            case .fixed(let token): .bearer(token)
            case .basic(.password(let username, let password)): .basic(username: username, password: password)
            case .basic: nil
            }
        }
    }

    /// How far authorisation has got within one exchange.
    struct Progress: Sendable {
        var challenge: Wanted?
        /// What was remembered and could not be met, and why: a challenge for the same is not tried a second time.
        var unmet: (wanted: Wanted, error: UpstreamError)?
        /// Something was presented, and refused without a challenge: the next try presents nothing.
        var isStripped = false
        /// A token or credentials were replaced after a refusal; it happens once.
        var hasRenewed = false
        /// A challenge asked for something else than was presented; it is followed once.
        var hasRetargeted = false
        var rounds = 0
    }

    private struct State {
        var memory = ChallengeMemory()
        var refused = Setbacks<Credentials, UpstreamError>()
        var reportedRealms: Set<String> = []
    }

    /// The most answers of 401 that an exchange goes on from.
    private static let roundLimit = 4

    private let endpoint: Origin
    private let realms: RealmRules
    private let source: CredentialSource
    private let tokens: TokenCache
    private let logger: Logger
    private let state = Locked(State())

    init(endpoint: Origin, realms: RealmRules, source: CredentialSource, tokens: TokenCache, logger: Logger) {
        self.endpoint = endpoint
        self.realms = realms
        self.source = source
        self.tokens = tokens
        self.logger = logger
    }

    /// Whether requests to `origin` are ours to authorise: the endpoint, and what the built-in table counts as it.
    func governs(_ origin: Origin) -> Bool {
        origin == endpoint || (origin.host != endpoint.host && origin.isSecure && realms.isOwn(origin.host))
    }

    /// What a request for `repository` to `origin` is to present.
    func presented(
        for repository: RepositoryName,
        at origin: Origin,
        _ progress: inout Progress
    ) async throws(UpstreamError) -> Presented {
        guard governs(origin), !progress.isStripped, progress.unmet == nil || progress.challenge != nil else {
            return .nothing
        }
        let remembered = state.withLock { $0.memory.wanted(for: repository, at: origin) }
        let wanted = progress.challenge?.completed(for: repository) ?? remembered
        let credentials: Credentials
        do throws(UpstreamError) {
            credentials = try await source.current()
        } catch .credentialsRefused where wanted == nil {
            // The registry may well want none.
            return .nothing
        }
        if origin == endpoint, case .registryToken(let token) = credentials { return .fixed(token) }
        guard let wanted else { return .nothing }
        if let unmet = progress.unmet, unmet.wanted == wanted { throw unmet.error }
        do throws(UpstreamError) {
            return try await presented(for: wanted, repository, credentials)
        } catch {
            guard progress.challenge == nil, Self.mayBeOutdated(error) else { throw error }
            // Nothing has been sent to the registry yet: it can say anew what it wants.
            progress.unmet = (wanted, error)
            return .nothing
        }
    }

    /// Whether the failure may be that of a realm which the registry no longer names.
    ///
    /// One that limits us is alive, and with one whose circuit is open that was tried by the requests that opened it.
    private static func mayBeOutdated(_ error: UpstreamError) -> Bool {
        switch error {
        case .unavailable(.circuitOpen): false
        case .denied, .unavailable, .unusable: true
        default: false
        }
    }

    private func presented(
        for wanted: Wanted,
        _ repository: RepositoryName,
        _ credentials: Credentials
    ) async throws(UpstreamError) -> Presented {
        switch wanted {
        case .token(let realm, let service, let scope):
            return try await token(realm: realm, service: service, scope: scope ?? .pull(repository), credentials)
        case .basic:
            guard case .password = credentials else { return .nothing }
            if let setback = state.withLock({ $0.refused.current(for: credentials, at: .now) }) { throw setback }
            return .basic(credentials)
        }
    }

    /// Learns from a 401 what to present next; throws when there is nothing more to try.
    func learn(
        from answer: Answer,
        to presented: Presented,
        for repository: RepositoryName,
        _ progress: inout Progress
    ) async throws(UpstreamError) {
        progress.rounds += 1
        guard progress.rounds <= Self.roundLimit else { throw .denied }
        let challenges = Challenge.parse(answer.head.all("WWW-Authenticate"))
        guard let wanted = Wanted(challenges) else {
            // Google's registries refuse what they cannot use without a word; without it they may answer.
            guard presented != .nothing, !progress.isStripped else { throw .denied }
            discard(presented)
            progress.isStripped = true
            return
        }
        switch presented {
        case .nothing: break
        case .fixed:
            throw challenges.contains { $0["error"] == "invalid_token" } ? .credentialsRefused : .denied
        case .token(_, let key, _) where !key.meets(wanted.completed(for: repository)):
            // The token may be good, and for something else.
            guard !progress.hasRetargeted else { throw .denied }
            progress.hasRetargeted = true
        case .token(_, _, let isNew):
            guard !isNew, !progress.hasRenewed else { throw .denied }
            progress.hasRenewed = true
            discard(presented)
        case .basic(let credentials):
            try await renew(after: credentials, &progress)
        }
        progress.isStripped = false
        progress.challenge = wanted
        if wanted == .basic, case .nothing = presented {
            guard case .password = try await source.current() else { throw .denied }
        }
        state.withLock { $0.memory.learn(wanted, for: repository, at: answer.location.origin) }
    }

    private func discard(_ presented: Presented) {
        if case .token(let token, let key, _) = presented { tokens.discard(token, for: key) }
    }

    private func renew(after credentials: Credentials, _ progress: inout Progress) async throws(UpstreamError) {
        if !progress.hasRenewed, try await source.renewed(after: credentials) != nil {
            progress.hasRenewed = true
            return
        }
        let now = ContinuousClock.now
        state.withLock {
            $0.refused.note(.credentialsRefused, for: credentials, until: now + TokenCache.refusalPause, at: now)
        }
        throw .credentialsRefused
    }
}

// MARK: - Tokens

extension Authoriser {
    private func token(
        realm: String,
        service: String?,
        scope: Scope,
        _ credentials: Credentials
    ) async throws(UpstreamError) -> Presented {
        var key: TokenKey
        switch realms.judge(realm) {
        case .trusted(let location):
            key = TokenKey(realm: location, service: service, scope: scope, credentials: credentials)
        case .anonymousOnly(let location):
            if credentials != .anonymous { reportOnce(realm: location.shown) }
            key = TokenKey(realm: location, service: service, scope: scope, credentials: .anonymous)
        case .refused(let reason): throw .unusable(reason)
        }
        do throws(UpstreamError) {
            return try await presented(key)
        } catch .credentialsRefused {
            // A helper may have newer ones.
            guard let renewed = try await source.renewed(after: key.credentials) else { throw .credentialsRefused }
            key.credentials = renewed
            return try await presented(key)
        }
    }

    private func presented(_ key: TokenKey) async throws(UpstreamError) -> Presented {
        let (token, isNew) = try await tokens.token(for: key)
        return .token(token, key, isNew: isNew)
    }

    private func reportOnce(realm: String) {
        guard state.withLock({ $0.reportedRealms.count < 100 && $0.reportedRealms.insert(realm).inserted }) else {
            return
        }
        logger.warning(
            "token realm is not of the registry's own domain: asked without credentials; see trusted_realms",
            metadata: ["realm": "\(realm)"]
        )
    }
}

extension TokenKey {
    /// Whether a token of this key is what `wanted`, with its scope, asks for.
    fileprivate func meets(_ wanted: Wanted) -> Bool {
        guard case .token(let realm, let service, let scope) = wanted else { return false }
        return Location(realm) == self.realm && service == self.service && scope == self.scope
    }
}
