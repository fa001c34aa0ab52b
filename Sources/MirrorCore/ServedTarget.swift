import OCI

/// A repository that is served under a second name too: the one that ocync copies it to.
package struct ServedTarget: Hashable, Sendable {
    /// The repository's name at the target registries, and in requests that name no registry.
    package var name: String
    /// The target registries, with their ports; upper and lower case are the same.
    package var registries: [String]
    /// Where the content comes from.
    package var repository: Repository

    package init(name: String, registries: [String], repository: Repository) {
        self.name = name
        self.registries = registries
        self.repository = repository
    }
}

/// The second names of repositories, by target registry.
struct TargetNames: Sendable {
    private var byName: [String: Repository] = [:]
    private var byRegistry: [String: [String: Repository]] = [:]

    init(_ targets: [ServedTarget]) {
        for target in targets {
            byName[target.name] = target.repository
            for registry in target.registries {
                byRegistry[registry.lowercased(), default: [:]][target.name] = target.repository
            }
        }
    }

    func hasRegistry(_ registry: String) -> Bool { byRegistry[registry.lowercased()] != nil }

    /// The repository with a name at a registry, or with `nil` at any.
    func repository(_ name: String, at registry: String?) -> Repository? {
        guard let registry else { return byName[name] }
        return byRegistry[registry.lowercased()]?[name]
    }
}
