/// The names and aliases of all upstreams: each may mean one upstream only.
struct UpstreamNames {
    /// Canonical name → as it was written, and where.
    private var claimed: [String: (written: String, line: Int?)] = [:]
    var aliases: [(upstream: String, names: [String], section: Section)] = []

    /// Takes a key of `upstreams`; returns its canonical name, or `nil` after noting what is wrong with it.
    mutating func claim(_ written: String, _ section: Section) -> String? {
        let findings = section.findings
        guard written.isHostWithOptionalPort else {
            findings.note(
                "\"\(written)\" is not the name of a registry; write it as image names have it, such as ghcr.io",
                line: section.line,
                path: "upstreams"
            )
            return nil
        }
        let name = UpstreamSettings.canonical(written)
        if let earlier = claimed[name] {
            let place = earlier.line.map { " (line \($0))" } ?? ""
            let message = "means the same registry as \"\(earlier.written)\"\(place); merge the two"
            findings.note(message, line: section.line, path: section.path)
            return nil
        }
        claimed[name] = (written, section.line)
        if !name.isDistinctFromOrganisations {
            findings.warn(name.shadowing, line: section.line, path: section.path)
        }
        return name
    }

    /// Notes aliases that are taken; warns of those that can hide something.
    mutating func checkAliases() {
        var owners = Dictionary(uniqueKeysWithValues: claimed.keys.map { ($0, $0) })
        for name in UpstreamSettings.dockerHubNames { owners[name] = UpstreamSettings.dockerHubName }
        for (upstream, names, section) in aliases {
            for alias in names {
                if let owner = owners[alias], owner != upstream {
                    section.note("aliases", "\"\(alias)\" already names \(owner)")
                } else if !alias.isDistinctFromOrganisations {
                    section.warn("aliases", alias.shadowing)
                }
                owners[alias] = upstream
            }
        }
    }
}

extension String {
    /// Whether this cannot be the first component of a repository: it has a dot or a port.
    fileprivate var isDistinctFromOrganisations: Bool { contains(".") || contains(":") || self == "localhost" }

    fileprivate var shadowing: String {
        "\"\(self)\" has no dot, so it hides the Docker Hub organisation of that name in /v2/\(self)/…;"
            + " a dotted name such as \(self).example cannot"
    }
}
