import OCI
import Testing
import YAMLReading

@testable import Ocync

@Suite("What may stand in an ocync file")
struct SchemaTests {
    @Test("everything that ocync knows is read")
    func everything() throws {
        let text = """
            global: {max_concurrent_transfers: 20, cache_dir: /tmp/x, cache_ttl: 6h, staging_size_limit: 1GB}
            registries:
              hub:
                url: https://Docker.io/
                auth_type: basic
                max_concurrent: 4
                credentials: {username: me, password: secret}
                head_first: true
              ecr: {url: "http://1.dkr.ecr.us-east-1.amazonaws.com:5000", auth_type: ecr, aws_profile: vendor}
              quay: {url: quay.io, auth_type: token, token: t}
            target_groups: {all: [ecr, quay]}
            mappings:
              - from: library/nginx
                to: nginx
                source: hub
                targets: all
                tags: {glob: "1.*", semver: ">=1.2", include: latest, exclude: ["*-perl"], sort: semver, latest: 3,
                       min_tags: 1, immutable_tags: "v*"}
                platforms: [linux/amd64, linux/arm/v7]
                artifacts: {enabled: true, include: [a/b], exclude: [c/d], require_artifacts: true}
            """
        let loaded = try load(text)
        #expect(loaded.warnings.isEmpty)
        let configuration = loaded.configuration
        #expect(configuration.maxConcurrentTransfers == 20)
        #expect(configuration.registries.map(\.alias) == ["ecr", "hub", "quay"])
        let (ecr, hub, quay) = (configuration.registries[0], configuration.registries[1], configuration.registries[2])
        #expect(hub.host == "docker.io")
        #expect(hub.isDockerHub)
        #expect(!hub.usesPlainHTTP)
        #expect(hub.authType == .basic)
        #expect(hub.maxConcurrent == 4)
        #expect(hub.headFirst)
        #expect(hub.credentials?.username == "me")
        #expect(hub.credentials?.password.reveal() == "secret")
        #expect(ecr.host == "1.dkr.ecr.us-east-1.amazonaws.com:5000")
        #expect(!ecr.isDockerHub)
        #expect(ecr.usesPlainHTTP)
        #expect(ecr.authType == .ecr)
        #expect(ecr.awsProfile == "vendor")
        #expect(quay.authType == .staticToken)
        #expect(quay.token?.reveal() == "t")

        let mapping = try #require(configuration.mappings.first)
        #expect(mapping.index == 0)
        #expect(mapping.line == 13)
        #expect(mapping.from == "library/nginx")
        #expect(mapping.to == "nginx")
        #expect(mapping.source == hub)
        #expect(mapping.targets == [ecr, quay])
        #expect(mapping.problem == nil)
        #expect(
            mapping.tags.description
                == "glob 1.*, semver >=1.2, exclude *-perl, include latest, sort semver, latest=3, min_tags=1"
        )
        #expect(mapping.tags.immutableTags == "v*")
        #expect(mapping.platforms?.map(\.description) == ["linux/amd64", "linux/arm/v7"])
        var artifacts = ArtifactFilter()
        artifacts.include = ["a/b"]
        artifacts.exclude = ["c/d"]
        artifacts.isRequired = true
        #expect(mapping.artifacts == artifacts)
    }

    @Test("all problems are reported at once, with line, key, mapping and what to do")
    func allAtOnce() {
        let text = """
            global: {max_concurrent_transfers: many}
            registries:
              a: {url: x, auth_type: bsic, head_first: yes}
              b: {auth_type: basic}
            mappings:
              - {from: q, tags: {sort: semvr, latest: "5", glob: [1.10]}, platforms: linux/amd64}
              - {to: q}
              - text
            """
        #expect(
            problems(text).map(\.description) == [
                "ocync.yaml:1: global.max_concurrent_transfers: must be a whole number, without quotes, not a text",
                "ocync.yaml:3: registries.a.auth_type: \"bsic\" is not one of ecr, gar, gcr, acr, ghcr, anonymous, basic,"
                    + " static_token, docker_config; did you mean basic?",
                "ocync.yaml:3: registries.a.head_first: must be true or false, without quotes, not a text",
                "ocync.yaml:4: registries.b.url: is missing",
                "ocync.yaml:4: registries.b.auth_type: 'basic' requires 'credentials' with 'username' and 'password';"
                    + " add them",
                "ocync.yaml:6: mappings[0].tags.glob: mapping 'q': 1.10 is no text for YAML; quote it: \"1.10\"",
                "ocync.yaml:6: mappings[0].tags.sort: mapping 'q': \"semvr\" is not one of semver, alpha;"
                    + " did you mean semver?",
                "ocync.yaml:6: mappings[0].tags.latest: mapping 'q': must be a whole number, without quotes, not a quoted"
                    + " text",
                "ocync.yaml:6: mappings[0].platforms: mapping 'q': must be a list, not a text",
                "ocync.yaml:7: mappings[1].from: is missing",
                "ocync.yaml:8: mappings[2]: must be a mapping of keys to values, not a text",
            ]
        )
    }

    @Test(
        "what can be read may still not be meant",
        arguments: [
            ("global: {max_concurrent_transfers: 0}", "global.max_concurrent_transfers: must be >= 1"),
            ("global: {cache_ttl: 12hours}", "global.cache_ttl: '12hours' is not a valid duration"),
            ("global: {cache_ttl: h}", "global.cache_ttl: 'h' is not a valid duration"),
            ("global: {cache_ttl: 1.5h}", "global.cache_ttl: '1.5h' is not a valid duration"),
            ("global: {staging_size_limit: 5}", "global.staging_size_limit: '5' is not a valid size"),
            ("global: {staging_size_limit: GB}", "global.staging_size_limit: 'GB' is not a valid size"),
            ("registries: {a: {url: x, max_concurrent: 0}}", "registries.a.max_concurrent: must be >= 1"),
            ("registries: {a: {url: x, auth_type: token}}", "registries.a.auth_type: 'token' requires a 'token' field"),
            ("registries: {a: {url: x, aws_profile: p}}", "registries.a.aws_profile: requires explicit"),
            (
                "registries: {a: {url: x, auth_type: ecr, aws_profile: ''}}",
                "registries.a.aws_profile: must not be empty"
            ),
            ("defaults: {source: hub}", "defaults.source: references unknown registry 'hub'; add it under registries"),
            ("defaults: {targets: [g]}\ntarget_groups: {g: []}", "defaults.targets: references unknown registry 'g'"),
            ("defaults: {platforms: []}", "defaults.platforms: platforms list must not be empty"),
            ("defaults: {platforms: [linux//v8]}", "defaults.platforms: invalid platform 'linux//v8'"),
            ("defaults: {platforms: [linux/]}", "defaults.platforms: invalid platform 'linux/'"),
            (
                "defaults: {artifacts: {enabled: false, require_artifacts: true}}",
                "defaults.artifacts: require_artifacts"
            ),
            ("defaults: {tags: {latest: 5}}", "defaults.tags.latest: tags.latest requires tags.sort to be set"),
            ("registries: {hub: {url: x}}\ndefaults: {source: hbu}", "unknown registry 'hbu'; did you mean 'hub'?"),
            ("target_groups: {g: [a]}\ndefaults: {targets: g}", "defaults.targets: references unknown registry 'a'"),
            ("defaults: {targets: g}", "defaults.targets: references unknown target group or registry 'g'"),
        ]
    )
    func notMeant(text: String, problem: String) {
        let found = problems(text + "\nmappings: []").map(\.description)
        #expect(found.count == 1)
        #expect(found.first?.contains(problem) == true, "\(found)")
    }

    @Test(
        "durations and sizes that ocync takes are taken",
        arguments: [
            "{cache_ttl: 0}", "{cache_ttl: 90}", "{cache_ttl: 3d}", "{staging_size_limit: 0}",
            "{staging_size_limit: 5B}",
        ]
    )
    func durationsAndSizes(global: String) {
        #expect(problems("global: \(global)\nmappings: []").isEmpty)
    }

    @Test("unknown keys are ignored, with a warning that says what was probably meant")
    func unknownKeys() throws {
        let text = """
            x-common: &c {glob: "v*"}
            globel: {}
            registries: {a: {url: x, user: y}}
            defaults: {source: a, platform: [linux/amd64]}
            mappings:
              - from: q/q
                tags: {globb: x, <<: *c}
                from_registry: a
            """
        #expect(
            try load(text).warnings.map(\.description) == [
                "ocync.yaml:2: unknown key \"globel\" is ignored; did you mean \"global\"?",
                "ocync.yaml:3: registries.a: unknown key \"user\" is ignored",
                "ocync.yaml:4: defaults: unknown key \"platform\" is ignored; did you mean \"platforms\"?",
                "ocync.yaml:7: mappings[0].tags: mapping 'q/q': unknown key \"globb\" is ignored; did you mean \"glob\"?",
                "ocync.yaml:7: mappings[0].tags: mapping 'q/q': ocync does not apply merge keys: << is ignored; write the"
                    + " keys out",
                "ocync.yaml:8: mappings[0]: mapping 'q/q': unknown key \"from_registry\" is ignored",
            ]
        )
    }

    @Test("what is not used, or does not mean what it seems to, is warned about")
    func oddities() throws {
        let text = """
            registries:
              hub: {url: docker.io/example, token: t, credentials: {username: u, password: p}}
            defaults: {source: hub}
            mappings:
              - {from: nginx, tags: {glob: "{1.0,2.0}", immutable_tags: "v?[0-9]*.[0-9]*.[0-9]*"}}
            """
        let warnings = try load(text).warnings.map(\.description)
        #expect(warnings.count == 6)
        #expect(warnings.contains("ocync.yaml:2: registries.hub.credentials: are not used without auth_type: basic"))
        #expect(warnings.contains("ocync.yaml:2: registries.hub.token: is not used without auth_type: static_token"))
        #expect(warnings.contains { $0.contains("registries.hub.url: has a path") })
        #expect(warnings.contains { $0.contains("official images are library/nginx") })
        #expect(warnings.contains { $0.contains("\"{1.0,2.0}\" is taken for the name of a tag") })
        #expect(warnings.contains { $0.contains("immutable_tags matches neither 1.2.3 nor v1.2.3") })
    }

    @Test("the key that ocync has removed is refused with what to write, unless it is null")
    func removedKey() throws {
        let found = problems("mappings: [{from: q, tags: {semver_prerelease: exclude}}]")
        #expect(found.map(\.path) == ["mappings[0].tags.semver_prerelease"])
        #expect(found.first?.message.contains("include: [\"*-rc*\", \"*-alpha*\"") == true)
        #expect(
            try load("mappings: [{from: q, tags: {semver_prerelease: ~}}]").warnings
                .allSatisfy { !$0.message.contains("prerelease") }
        )
    }

    @Test("what ocync refuses only when it runs is a warning, and a problem of that mapping")
    func runtime() throws {
        let text = """
            registries: {a: {url: x}}
            mappings:
              - {from: q, tags: {}}
              - {from: "q:1", source: a, tags: {glob: "[bad*"}}
              - {from: q, source: a, tags: {semver: ^1.2}}
              - {from: q, source: a, tags: {immutable_tags: "{"}}
              - {from: "", source: a, tags: {exclude: "a}"}}
            """
        let loaded = try load(text)
        #expect(loaded.warnings.map(\.line) == [3, 4, 4, 5, 6, 7, 7])
        let mappings = loaded.configuration.mappings
        #expect(mappings.map(\.problem) == [.noSource(from: "q"), .repository("q:1"), nil, nil, .repository("")])
        #expect(
            mappings.map(\.tags.problem) == [
                nil, .glob("[bad*", .unclosedClass), .range("^1.2", .unsupported("^1.2")),
                .glob("{", .unclosedAlternates),
                .glob("a}", .unopenedAlternates),
            ]
        )
        #expect(
            loaded.warnings[3].description.hasSuffix("for ^1.2 write >=1.2, <2; for ~1.2 or 1.2.x write >=1.2, <1.3")
        )
    }

    @Test("secrets of a registry do not print")
    func secrets() throws {
        let text = """
            registries: {a: {url: x, auth_type: basic, credentials: {username: u, password: hunter2}, token: hunter3}}
            mappings: []
            """
        var dumped = ""
        dump(try load(text).configuration, to: &dumped)
        #expect(!dumped.contains("hunter"))
    }
}
