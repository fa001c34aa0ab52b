import Testing
import YAMLReading

@testable import Ocync

@Suite("What mappings inherit")
struct ResolutionTests {
    private let registries = "registries: {a: {url: a.example}, b: {url: b.example}, g: {url: g.example}}\n"

    private func mappings(_ text: String) throws -> [OcyncMapping] {
        try load(registries + text).configuration.mappings
    }

    @Test("source, targets, platforms and artifacts are the mapping's own, else the defaults', as a whole")
    func replaced() throws {
        let text = """
            defaults:
              source: a
              targets: [a, b]
              platforms: [linux/amd64, linux/arm64]
              artifacts: {enabled: false, include: [x]}
              tags: {}
            mappings:
              - {from: inherits}
              - {from: own, source: b, targets: b, platforms: [linux/s390x], artifacts: {exclude: [y]}}
            """
        let found = try mappings(text)
        #expect(found.map(\.source?.alias) == ["a", "b"])
        #expect(found.map { $0.targets.map(\.alias) } == [["a", "b"], ["b"]])
        #expect(found.map { $0.platforms?.map(\.description) } == [["linux/amd64", "linux/arm64"], ["linux/s390x"]])
        #expect(found.map(\.artifacts.isEnabled) == [false, true])
        #expect(found.map(\.artifacts.include) == [["x"], []])
        #expect(found.map(\.to) == ["inherits", "own"])
    }

    @Test("a text in targets is a group first and then a registry, a list has registries only")
    func targets() throws {
        let text = """
            target_groups: {g: [a, b], unused: [nope], empty: []}
            defaults: {tags: {}}
            mappings:
              - {from: x, targets: g}
              - {from: x, targets: [g]}
              - {from: x, targets: a}
              - {from: x, targets: empty}
            """
        #expect(try mappings(text).map { $0.targets.map(\.alias) } == [["a", "b"], ["g"], ["a"], []])
    }

    @Test("tags are inherited field by field, and excludes in two tiers")
    func tagFields() throws {
        let text = """
            defaults:
              tags: {glob: "1.*", semver: ">=1", include: latest, exclude: "*-dev", sort: semver, latest: 5, min_tags: 2,
                     immutable_tags: "v*"}
            mappings:
              - {from: x}
              - {from: x, tags: {glob: [], semver: ">=2", include: [stable], exclude: ["*-perl"], sort: alpha, latest: 0}}
              - {from: x, tags: {glob: ~, exclude: ~}}
            """
        let filters = try mappings(text).map(\.tags)
        var inherited = TagFilter()
        inherited.glob = ["1.*"]
        inherited.semver = ">=1"
        inherited.include = ["latest"]
        inherited.softExclude = ["*-dev"]
        inherited.sort = .semver
        inherited.latest = 5
        inherited.minTags = 2
        inherited.immutableTags = "v*"
        #expect(filters[0] == inherited)
        #expect(filters[2] == inherited)
        var own = inherited
        own.glob = []
        own.semver = ">=2"
        own.include = ["stable"]
        own.exclude = ["*-perl"]
        own.sort = .alpha
        own.latest = 0
        #expect(filters[1] == own)
    }

    @Test(
        "names of tags need no list only when nothing else is asked for, in the mapping or by default",
        arguments: [
            ("{glob: latest}", "", ["latest"]), ("{glob: [a, b, a]}", "", ["a", "b", "a"]), ("{glob: []}", "", []),
            ("{glob: ''}", "", [""]), ("{glob: [a], immutable_tags: 'v*'}", "", ["a"]),
            ("{glob: [a], semver: ~, latest: }", "", ["a"]), ("{glob: '{a,b}'}", "", ["{a,b}"]),
            ("{glob: a}", "defaults: {tags: {}}", nil), ("{glob: 'a*'}", "", nil), ("{glob: [a, 'b?']}", "", nil),
            ("{glob: 'a[1]'}", "", nil), ("{}", "", nil), ("{glob: a, semver: '1'}", "", nil),
            ("{glob: a, sort: alpha}", "", nil), ("{glob: a, sort: alpha, latest: 1}", "", nil),
            ("{glob: a, min_tags: 0}", "", nil), ("{glob: a, exclude: []}", "", nil),
            ("{glob: a, include: []}", "", nil),
        ] as [(String, String, [String]?)]
    )
    func fastPath(tags: String, defaults: String, literals: [String]?) throws {
        let found = try mappings("\(defaults)\nmappings: [{from: x, tags: \(tags)}]")
        #expect(found.map(\.tags.literals) == [literals])
    }

    @Test("two mappings may have the same repository")
    func repeatedRepository() throws {
        let text = "mappings: [{from: x, tags: {glob: a}}, {from: x, tags: {glob: b}}]"
        #expect(try mappings(text).map(\.index) == [0, 1])
    }

    @Test("in a Helm values file the configuration is under config, and so are its problems")
    func helm() throws {
        let values = """
            mode: cronjob
            image: {repository: x, tag: 1}
            config:
              registries: {hub: {url: docker.io}}
              defaults: {source: hub}
              mappings:
                - {from: library/nginx, tags: {glob: latest}, extra: 1}
            """
        let loaded = try load(values)
        #expect(loaded.configuration.mappings.map(\.from) == ["library/nginx"])
        #expect(loaded.warnings.map(\.path) == ["config.mappings[0]"])
        let bad = values.replacing("source: hub", with: "source: hbu").replacing("url", with: "ulr")
        #expect(problems(bad).map(\.path) == ["config.registries.hub.url"])
        #expect(problems(values.replacing("source: hub", with: "source: x")).map(\.path) == ["config.defaults.source"])
    }

    @Test("config means nothing beside mappings, and without them")
    func noHelm() throws {
        let both = "config: {mappings: [{from: x, tags: {}}]}\nmappings: []"
        #expect(try load(both).configuration.mappings.isEmpty)
        #expect(problems("config: {registries: {}}").map(\.message) == ["the key \"mappings\" is missing"])
    }
}
