import MirrorCore
import OCI

/// What a registry wants to see.
enum Wanted: Hashable, Sendable {
    case token(realm: String, service: String?, scope: Scope?)
    case basic

    /// The first of the challenges that we can meet, a token before a password.
    init?(_ challenges: [Challenge]) {
        if let bearer = challenges.first(where: { $0.scheme == "bearer" && $0["realm"] != nil }),
            let realm = bearer["realm"]
        {
            self = .token(realm: realm, service: bearer["service"], scope: Scope(challenged: bearer["scope"]))
        } else if challenges.contains(where: { $0.scheme == "basic" }) {
            self = .basic
        } else {
            return nil
        }
    }

    /// With the scope of reading `repository` where the challenge named none.
    func completed(for repository: RepositoryName) -> Wanted {
        guard case .token(let realm, let service, nil) = self else { return self }
        return .token(realm: realm, service: service, scope: .pull(repository))
    }

    /// The same, without a scope that is of one repository; words that name none serve for all.
    fileprivate var forAnyRepository: Wanted {
        guard case .token(let realm, let service, let scope?) = self, scope.isOfRepository else { return self }
        return .token(realm: realm, service: service, scope: nil)
    }
}

/// What registries challenged for before.
///
/// Kept for each repository, since the scope need not be of the name that we ask for (a virtual repository's is of the one
/// behind it), and for each origin, where a repository that is new here starts from.
struct ChallengeMemory: Sendable {
    private struct Place: Hashable {
        var origin: Origin
        var repository: RepositoryName
    }

    /// More repositories than this are not kept: forgetting one costs a refused request.
    static let capacity = 1000

    private var places: [Place: Wanted] = [:]
    private var origins: [Origin: Wanted] = [:]

    /// What a request for `repository` is likely to be challenged for, or `nil` when nothing is known of `origin`.
    func wanted(for repository: RepositoryName, at origin: Origin) -> Wanted? {
        let known = places[Place(origin: origin, repository: repository)] ?? origins[origin]
        return known?.completed(for: repository)
    }

    mutating func learn(_ wanted: Wanted, for repository: RepositoryName, at origin: Origin) {
        origins[origin] = wanted.forAnyRepository
        let place = Place(origin: origin, repository: repository)
        if places[place] == nil, places.count >= Self.capacity { places = [:] }
        places[place] = wanted
    }
}
