import MirrorCore
import OCI
import Ocync
import Settings
import YAMLReading

/// The second names under which the mappings of ocync files have their sources served: the setting `serve_targets`.
struct ServedTargets {
    private(set) var targets: [ServedTarget] = []
    private(set) var problems: [Problem] = []
    private(set) var warnings: [Problem] = []
    private let names: UpstreamDirectory
    private let upstreams: Set<String>
    /// Which mapping gave a name, for what is told about a second one.
    private var places: [String: String] = [:]

    init(_ settings: MirrorSettings) {
        names = UpstreamDirectory(settings)
        upstreams = Set(settings.upstreams.map(\.name))
    }

    /// Reads the files that the settings name; blocks on the disk.
    ///
    /// - Throws: All that is wrong with them, and what stands in the way of their names.
    static func read(
        _ settings: MirrorSettings,
        environment: [String: String]
    ) throws(SettingsError) -> (targets: [ServedTarget], warnings: [Problem]) {
        var served = ServedTargets(settings)
        for file in settings.serveTargets {
            do throws(OcyncError) {
                let loaded = try OcyncConfiguration.load(file: file, environment: environment)
                for mapping in loaded.configuration.mappings { served.add(mapping, of: file) }
            } catch {
                served.problems += error.problems
            }
        }
        guard served.problems.isEmpty else { throw SettingsError(served.problems) }
        return (served.targets, served.warnings)
    }

    mutating func add(_ mapping: OcyncMapping, of file: String) {
        let report = { (message: String) in
            let message = "mapping '\(mapping.from)': \(message)"
            return Problem(file: file, line: mapping.line, path: "mappings[\(mapping.index)]", message: message)
        }
        switch repository(of: mapping) {
        case .failure(let obstacle): problems.append(report(obstacle.text))
        case .success(let repository):
            let place = "\(file)\(mapping.line.map { ":\($0)" } ?? "")"
            if let earlier = targets.firstIndex(where: { $0.name == mapping.to }) {
                guard targets[earlier].repository == repository else {
                    let other = "\(targets[earlier].repository) (\(places[mapping.to] ?? file))"
                    let message = "'\(mapping.to)' is served from \(other) already; give one of them another name by to"
                    return problems.append(report(message))
                }
                targets[earlier].registries += mapping.targets.map(\.host)
            } else {
                if let hidden = hiddenByDefault(mapping.to), hidden != repository {
                    warnings.append(
                        report("as '\(mapping.to)' it hides \(hidden), which can still be pulled as \(hidden)")
                    )
                }
                places[mapping.to] = place
                let registries = mapping.targets.map(\.host)
                targets.append(ServedTarget(name: mapping.to, registries: registries, repository: repository))
            }
        }
    }

    /// Where a mapping's content comes from, unless it cannot be served under its second name.
    private func repository(of mapping: OcyncMapping) -> Result<Repository, Refusal> {
        if let problem = mapping.problem { return .failure(Refusal("\(problem)")) }
        let host = UpstreamSettings.canonical(mapping.source?.host ?? "")
        guard upstreams.contains(host) else {
            return .failure(Refusal("its source \(host) is not an upstream; add \"\(host): {}\" under upstreams"))
        }
        guard (try? RepositoryName(mapping.to)) != nil else {
            return .failure(Refusal("'\(mapping.to)' cannot be pulled: it is not the name of a repository"))
        }
        let first = mapping.to.split(separator: "/").first.map(String.init) ?? ""
        if first != mapping.to, (try? names.resolve(path: "x", prefix: first, namespace: nil)) != nil {
            return .failure(
                Refusal("'\(mapping.to)' begins like the upstream or alias \(first), which goes first; change to")
            )
        }
        do throws(MirrorError) {
            return .success(try names.resolve(path: mapping.from, prefix: nil, namespace: host))
        } catch {
            return .failure(Refusal("'\(mapping.from)' is not the name of a repository"))
        }
    }

    /// The official image of Docker Hub that a request with this name would mean otherwise.
    private func hiddenByDefault(_ name: String) -> Repository? {
        let repository = try? names.resolve(path: name, prefix: nil, namespace: nil)
        guard let repository, repository.upstream == .dockerHub else { return nil }
        return repository.name.text.hasPrefix("library/") ? repository : nil
    }
}

extension UpstreamDirectory {
    /// The names of the settings' upstreams, and what is served under second names.
    init(_ settings: MirrorSettings, targets: [ServedTarget] = []) {
        self.init(
            upstreams: Dictionary(
                uniqueKeysWithValues: settings.upstreams.map { (UpstreamName($0.name), $0.aliases) }
            ),
            defaultUpstream: UpstreamName(settings.defaultUpstream),
            targets: targets
        )
    }
}
