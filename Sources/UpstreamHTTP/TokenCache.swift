import Locking
import MirrorCore
import OCI

/// What a token is for, and whose it is.
struct TokenKey: Hashable, Sendable {
    var realm: Location
    var service: String?
    var scope: Scope
    var credentials: Credentials
}

/// A token of a token server.
struct Token: Hashable, Sendable {
    var value: Secret
    /// From when on a new one is fetched while this one still serves.
    var refreshAt: ContinuousClock.Instant
    var expiresAt: ContinuousClock.Instant

    /// A token that was received at `now` and is good for `life` from then.
    ///
    /// It is renewed half a minute early, or after three quarters of a life shorter than two minutes.
    init(_ value: Secret, life: Duration, receivedAt now: ContinuousClock.Instant) {
        self.value = value
        refreshAt = now + max(life - .seconds(30), life * 3 / 4)
        expiresAt = now + life
    }
}

/// The tokens of one upstream.
///
///     absent ──fetch──▶ fresh ──refreshAt──▶ old ──fetch──▶ fresh
///                         └─── discard ────▶ absent
///
/// (1) At most one fetch runs for a key. (2) An old token serves when a new one cannot be had. (3) After the token server
/// refused our credentials, it is not asked with them again for a while.
final class TokenCache: Sendable {
    /// Whose credentials were refused, and where.
    private struct Account: Hashable, Sendable {
        var realm: Location
        var credentials: Credentials
    }

    private struct State {
        var tokens: [TokenKey: Token] = [:]
        var setbacks = Setbacks<Account, UpstreamError>()
    }

    typealias Fetch = @Sendable (TokenKey) async throws(UpstreamError) -> Token

    /// More keys than this are not kept: expired ones go first.
    static let capacity = 4096
    /// How long refused credentials are not tried again: Docker Hub locks accounts for ten minutes.
    static let refusalPause = Duration.seconds(300)

    private let state = Locked(State())
    private let fetches = SingleFlight<TokenKey, Token>()
    private let fetch: Fetch
    private let now: @Sendable () -> ContinuousClock.Instant

    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }, fetch: @escaping Fetch) {
        self.now = now
        self.fetch = fetch
    }

    /// A token, and whether it was fetched for this call.
    func token(for key: TokenKey) async throws(UpstreamError) -> (token: Token, isNew: Bool) {
        let now = now()
        let account = Account(realm: key.realm, credentials: key.credentials)
        let (kept, setback) = state.withLock { ($0.tokens[key], $0.setbacks.current(for: account, at: now)) }
        if let kept, now < kept.refreshAt { return (kept, false) }
        let usable = kept.flatMap { now < $0.expiresAt ? $0 : nil }
        if let setback {
            guard let usable else { throw setback }
            return (usable, false)
        }
        do throws(UpstreamError) {
            return (
                try await fetches.value(for: key) { () async throws(UpstreamError) in try await self.renew(key) }, true
            )
        } catch {
            guard let usable, error.isTransient else { throw error }
            return (usable, false)
        }
    }

    /// Forgets a token that the registry did not take.
    func discard(_ token: Token, for key: TokenKey) {
        state.withLock { if $0.tokens[key] == token { $0.tokens[key] = nil } }
    }

    private func renew(_ key: TokenKey) async throws(UpstreamError) -> Token {
        do throws(UpstreamError) {
            let token = try await fetch(key)
            keep(token, for: key)
            return token
        } catch {
            noteSetback(error, for: Account(realm: key.realm, credentials: key.credentials))
            throw error
        }
    }

    private func keep(_ token: Token, for key: TokenKey) {
        let now = now()
        state.withLock { state in
            if state.tokens.count >= Self.capacity { state.tokens = state.tokens.filter { now < $0.value.expiresAt } }
            if state.tokens.count >= Self.capacity { state.tokens = [:] }
            state.tokens[key] = token
        }
    }

    private func noteSetback(_ error: UpstreamError, for account: Account) {
        let pause: Duration
        switch error {
        case .credentialsRefused: pause = Self.refusalPause
        case .abuseLimited(let retryAfter): pause = min(retryAfter ?? .seconds(60), Self.refusalPause * 2)
        default: return
        }
        let now = now()
        state.withLock { $0.setbacks.note(error, for: account, until: now + pause, at: now) }
    }
}
