import OCI

/// How one upstream's content is treated; made from the settings by the composition root.
package struct UpstreamPolicy: Sendable {
    /// For how long a checked tag is used without asking again.
    package var tagTTL: Duration = .seconds(60)
    /// Tags that are never checked again once cached.
    package var immutableTags: [Glob] = []
    /// What a 404 means for a tag that is cached.
    package var onUpstreamGone: OnUpstreamGone = .refuse
    /// For how long after its last good check a tag is served although the upstream now refuses access.
    package var deniedGrace: Duration = .zero
    /// How old a tag's last check may be for the tag to be served while the upstream cannot be asked.
    package var staleIfError: Duration = .seconds(30 * 86_400)
    /// For how long "not there" is remembered.
    package var negativeTTL: Duration = .seconds(10)
    /// How many times a broken blob transfer goes on before its clients are cut.
    package var retries = 5
    /// By when an answer's head has left.
    package var answerWithin: Duration = .seconds(25)
    /// How long a check of a tag may take where a copy can be served instead.
    package var revalidateWithin: Duration = .seconds(2)
    /// Registries that are asked by digest before the upstream is, in this order.
    package var contentSources: [ContentSource] = []
    /// What background work leaves of the quota for pulls.
    package var reserve = 10
    /// Repositories that may be asked for; empty means all.
    package var allow: [Glob] = []
    /// Repositories that may not.
    package var deny: [Glob] = []

    /// A registry that may hold what the upstream has.
    package struct ContentSource: Sendable {
        /// Its name among the content sources of the composition.
        package var name: UpstreamName
        /// Repositories of the upstream that it may be asked for; empty means all.
        package var repositories: [Glob]

        package init(name: UpstreamName, repositories: [Glob] = []) {
            self.name = name
            self.repositories = repositories
        }
    }

    package enum OnUpstreamGone: String, Sendable {
        case refuse
        case serve
    }

    package init() {}

    /// Whether a caller may have content of this repository: today it does not depend on the caller.
    func permits(_ repository: Repository, for caller: Caller) -> Bool {
        let name = repository.name.text
        if deny.contains(where: { $0.matches(name) }) { return false }
        return allow.isEmpty || allow.contains { $0.matches(name) }
    }
}
