import Foundation
import MirrorCore
import OCI
import Ocync
import Settings
import Testing
import YAMLReading

@testable import tidepool

@Suite("serve_targets")
struct ServedTargetsTests {
    private static let settings = """
        upstreams:
          docker.io: { aliases: [dockerhub] }
          cgr.dev: {}
          ghcr.io: {}
        """

    private static func served(_ ocync: String, settings: String = settings) throws -> ServedTargets {
        let loaded = try MirrorSettings.load(text: settings, file: "tidepool.yaml", environment: [:])
        var served = ServedTargets(loaded.settings)
        let configuration = try OcyncConfiguration.load(text: ocync, file: "ocync.yaml", environment: [:])
        for mapping in configuration.configuration.mappings { served.add(mapping, of: "ocync.yaml") }
        return served
    }

    private static let registries = """
        registries:
          hub: { url: docker.io }
          cgr: { url: "https://cgr.dev/" }
          quay: { url: quay.io }
          ecr: { url: 123456789012.dkr.ecr.us-east-1.amazonaws.com }
          other: { url: "http://registry.example:5000" }
        target_groups: { prod: [ecr, other] }
        defaults: { source: hub, targets: prod, tags: { glob: "*" } }

        """

    @Test("each mapping is served by its `to` name and its target registries")
    func names() throws {
        let served = try Self.served(
            Self.registries + """
                mappings:
                  - { from: library/redis, to: redis }
                  - { from: chainguard/node, source: cgr, targets: ecr, to: team/node }
                  - { from: org/app }
                """
        )
        let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
        #expect(served.problems.isEmpty && served.warnings.isEmpty, "\(served.problems + served.warnings)")
        #expect(served.targets.map(\.name) == ["redis", "team/node", "org/app"])
        #expect(
            served.targets.map(\.registries) == [
                [ecr, "registry.example:5000"], [ecr], [ecr, "registry.example:5000"],
            ]
        )
        #expect(
            served.targets.map { "\($0.repository)" }
                == ["docker.io/library/redis", "cgr.dev/chainguard/node", "docker.io/org/app"]
        )
    }

    @Test(
        "what cannot be served is a problem of its mapping",
        arguments: [
            (
                "{ from: org/x, source: quay }",
                "its source quay.io is not an upstream; add \"quay.io: {}\" under upstreams"
            ),
            ("{ from: org/x, to: ghcr.io/org/x }", "begins like the upstream or alias ghcr.io"),
            ("{ from: org/x, to: dockerhub/x }", "begins like the upstream or alias dockerhub"),
            ("{ from: org/x, to: Org/X }", "it is not the name of a repository"),
            ("{ from: Org/x, to: x }", "'Org/x' is not the name of a repository"),
            ("{ from: \"a:b\" }", "invalid image reference 'a:b'"),
        ]
    )
    func problems(mapping: String, expected: String) throws {
        let served = try Self.served(Self.registries + "mappings:\n  - \(mapping)\n")
        let problem = try #require(served.problems.first)
        #expect(served.problems.count == 1 && served.targets.isEmpty)
        #expect(problem.description.hasPrefix("ocync.yaml:10: mappings[0]: mapping '"), "\(problem)")
        #expect(problem.message.contains(expected), "\(problem)")
    }

    @Test("two sources for one name are a conflict, one source twice is not")
    func conflict() throws {
        let served = try Self.served(
            Self.registries + """
                mappings:
                  - { from: chainguard/app, source: cgr, to: app/x, targets: [ecr] }
                  - { from: org/app, to: app/x }
                  - { from: chainguard/app, source: cgr, to: app/x, targets: [other] }
                """
        )
        #expect(
            served.problems.map(\.description) == [
                "ocync.yaml:11: mappings[1]: mapping 'org/app': 'app/x' is served from cgr.dev/chainguard/app"
                    + " (ocync.yaml:10) already; give one of them another name by to"
            ]
        )
        #expect(served.targets.map(\.registries.count) == [2])
    }

    @Test("a name that hides an official image gets a warning, the image's own does not")
    func hidden() throws {
        let served = try Self.served(
            Self.registries + """
                mappings:
                  - { from: chainguard/nginx, source: cgr, to: nginx }
                  - { from: library/redis, to: redis }
                """
        )
        #expect(
            served.warnings.map(\.message) == [
                "mapping 'chainguard/nginx': as 'nginx' it hides docker.io/library/nginx, which can still be pulled as"
                    + " docker.io/library/nginx"
            ]
        )
        #expect(served.targets.count == 2)
    }

    @Test("a file that cannot be read, or that ocync refuses, is told with the others")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "served-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (bad, good) = (directory.appending(path: "bad.yaml"), directory.appending(path: "good.yaml"))
        try Data("mappings: [{tags: {}}]\n".utf8).write(to: bad)
        try Data((Self.registries + "mappings: [{from: org/app}]\n").utf8).write(to: good)
        var settings = MirrorSettings(environment: [:])
        settings.serveTargets = [bad.path(), "\(directory.path())/missing.yaml", good.path()]
        let error = #expect(throws: SettingsError.self) { try ServedTargets.read(settings, environment: [:]) }
        #expect(error?.problems.count == 2)
        #expect(error?.description.contains("missing.yaml: there is no such file") == true)
        settings.serveTargets = [good.path()]
        #expect(try ServedTargets.read(settings, environment: [:]).targets.map(\.name) == ["org/app"])
    }
}
