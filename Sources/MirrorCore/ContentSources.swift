import Locking
import OCI

/// Registries that may hold what an upstream has, and are asked before it, by digest: DESIGN rule 4.
///
/// They are convenient, and not trusted: what they send is verified, and whether a repository has some content is for its
/// upstream to say.
final class ContentSources: Sendable {
    private let sources: [UpstreamName: any Upstream]
    private let policies: [UpstreamName: UpstreamPolicy]
    private let health = Locked(SourceHealth())
    private let time: Timekeeper

    init(_ sources: [UpstreamName: any Upstream], policies: [UpstreamName: UpstreamPolicy], time: Timekeeper) {
        self.sources = sources
        self.policies = policies
        self.time = time
    }

    subscript(name: UpstreamName) -> (any Upstream)? { sources[name] }

    /// The sources that may be asked for a digest of a repository now, in the order of the settings.
    func candidates(for digest: Digest, in repository: Repository) -> [any Upstream] {
        let configured = configured(for: repository)
        guard !configured.isEmpty else { return [] }
        let now = time.monotonic()
        return health.withLock { health in
            configured.filter { health.permits($0.name, digest, in: repository, at: now) }
        }
    }

    /// Whether some source that is well may have content of a repository: any, or what has a digest.
    func mayServe(_ repository: Repository, _ digest: Digest? = nil) -> Bool {
        if let digest { return !candidates(for: digest, in: repository).isEmpty }
        let configured = configured(for: repository)
        guard !configured.isEmpty else { return false }
        let now = time.monotonic()
        return health.withLock { health in configured.contains { health.permits($0.name, repository, at: now) } }
    }

    private func configured(for repository: Repository) -> [any Upstream] {
        guard let policy = policies[repository.upstream] else { return [] }
        return policy.contentSources
            .filter { source in
                source.repositories.isEmpty || source.repositories.contains { $0.matches(repository.name.text) }
            }
            .compactMap { sources[$0.name] }
            .filter { !$0.isFailing }
    }

    /// Notes why a source did not serve.
    func note(_ failure: SourceHealth.Failure, of source: UpstreamName, _ digest: Digest, in repository: Repository) {
        let now = time.monotonic()
        health.withLock { $0.note(failure, of: source, digest, in: repository, at: now) }
    }
}

/// What content sources have failed at lately.
///
/// Pure: time is a parameter. What is remembered is as narrow as what the answer was about:
///
/// | answer | not asked again | for |
/// |---|---|---|
/// | 404, or an answer that cannot be used | for that digest in that repository | 1 min |
/// | 401, 403 | for that repository | 1 min |
/// | 429, credentials refused | at all | `Retry-After`, 1 min without one, 10 min at most |
/// | no usable answer | at all | 10 s; after some of them its circuit breaker opens |
/// | other bytes than the digest's | at all | 10 min |
struct SourceHealth: Sendable {
    enum Failure: Hashable, Sendable {
        case wrongBytes
        case error(UpstreamError)
    }

    private enum Subject: Hashable {
        case source(UpstreamName)
        case repository(UpstreamName, Repository)
        case digest(UpstreamName, Repository, Digest)
    }

    private static let capacity = 10_000

    /// Until when what is not asked for.
    private var pauses: [Subject: Duration] = [:]

    func permits(_ source: UpstreamName, _ digest: Digest, in repository: Repository, at now: Duration) -> Bool {
        permits(source, repository, at: now) && !isPaused(.digest(source, repository, digest), at: now)
    }

    func permits(_ source: UpstreamName, _ repository: Repository, at now: Duration) -> Bool {
        !isPaused(.source(source), at: now) && !isPaused(.repository(source, repository), at: now)
    }

    private func isPaused(_ subject: Subject, at now: Duration) -> Bool {
        pauses[subject].map { $0 > now } ?? false
    }

    mutating func note(
        _ failure: Failure,
        of source: UpstreamName,
        _ digest: Digest,
        in repository: Repository,
        at now: Duration
    ) {
        switch failure {
        case .wrongBytes: pause(.source(source), for: .seconds(600), at: now)
        case .error(.notFound), .error(.unusable), .error(.headUnsupported):
            pause(.digest(source, repository, digest), for: .seconds(60), at: now)
        case .error(.denied): pause(.repository(source, repository), for: .seconds(60), at: now)
        case .error(.pullLimited(let wait)), .error(.abuseLimited(let wait)), .error(.reserved(let wait)):
            pause(.source(source), for: min(max(wait ?? .seconds(60), .seconds(1)), .seconds(600)), at: now)
        case .error(.credentialsRefused): pause(.source(source), for: .seconds(60), at: now)
        case .error(.unavailable): pause(.source(source), for: .seconds(10), at: now)
        case .error(.refusedBySink), .error(.cancelled): break
        }
    }

    private mutating func pause(_ subject: Subject, for duration: Duration, at now: Duration) {
        if pauses.count >= Self.capacity { pauses = pauses.filter { $0.value > now } }
        // Forgetting costs a request to a source each.
        if pauses.count >= Self.capacity { pauses = [:] }
        pauses[subject] = max(pauses[subject] ?? .zero, now + duration)
    }
}
