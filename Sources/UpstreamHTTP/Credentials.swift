import OCI

/// What we can show a registry or its token server of who we are.
enum Credentials: Hashable, Sendable {
    case anonymous
    case password(username: String, Secret)
    /// An OAuth2 refresh token, for the token server (docker's `identitytoken`).
    case identityToken(Secret)
    /// A token for the registry itself (docker's `registrytoken`).
    case registryToken(Secret)
}

/// Refusals that are remembered for a while, so that a wrong password does not become a locked account.
struct Setbacks<Key: Hashable & Sendable, Failure: Sendable>: Sendable {
    private var entries: [Key: (failure: Failure, until: ContinuousClock.Instant)] = [:]

    /// The refusal that still holds for `key`.
    func current(for key: Key, at now: ContinuousClock.Instant) -> Failure? {
        entries[key].flatMap { now < $0.until ? $0.failure : nil }
    }

    mutating func note(
        _ failure: Failure,
        for key: Key,
        until: ContinuousClock.Instant,
        at now: ContinuousClock.Instant
    ) {
        entries = entries.filter { now < $0.value.until }
        entries[key] = (failure, until)
    }
}
