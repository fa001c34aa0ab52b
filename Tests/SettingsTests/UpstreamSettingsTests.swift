import OCI
import Testing
import YAMLReading

@testable import Settings

@Suite("The upstreams of a settings file")
struct UpstreamSettingsTests {
    @Test("Docker Hub is there even when it is not written, and first when it is")
    func dockerHubAlways() throws {
        let settings = try load("upstreams:\n  ghcr.io: {}\n  quay.io:\n  docker.io: { retries: 1 }").settings
        #expect(settings.upstreams.map(\.name) == ["docker.io", "ghcr.io", "quay.io"])
        #expect(settings.upstreams[0].retries == 1)
        #expect(try load("upstreams: { ghcr.io: {} }").settings.upstreams.map(\.name) == ["docker.io", "ghcr.io"])
    }

    @Test("an upstream is where its name says, and Docker Hub where it is")
    func endpoints() throws {
        let text = "upstreams: { \"registry.example:5000\": {}, a.example: { endpoint: \"http://127.0.0.1:1\" } }"
        let endpoints = try load(text).settings.upstreams.map(\.endpoint.description)
        #expect(endpoints == ["https://registry-1.docker.io", "https://registry.example:5000", "http://127.0.0.1:1"])
    }

    @Test(
        "all names of Docker Hub are one upstream",
        arguments: ["index.docker.io", "registry-1.docker.io", "Docker.io"]
    )
    func dockerHubNames(name: String) throws {
        let settings = try load("upstreams: { \(name): { retries: 1 } }\ndefault_upstream: \(name)").settings
        #expect(settings.upstreams.map(\.name) == ["docker.io"])
        #expect(settings.upstreams[0].retries == 1)
        #expect(settings.defaultUpstream == "docker.io")
    }

    @Test("two spellings of one upstream are a mistake")
    func twoSpellings() {
        #expect(
            problems("upstreams:\n  docker.io: {}\n  index.docker.io: {}") == [
                "tidepool.yaml:3: upstreams.index.docker.io: means the same registry as \"docker.io\" (line 2);"
                    + " merge the two"
            ]
        )
    }

    @Test("a name that no image can have is a mistake", arguments: ["https://ghcr.io", "ghcr.io/org", "a b"])
    func wrongNames(name: String) {
        #expect(problems("upstreams: { \"\(name)\": {} }").count == 1)
    }

    @Test("an alias names one upstream only")
    func aliases() {
        let text = """
            upstreams:
              docker.io: { aliases: [hub.example] }
              ghcr.io:
                aliases: [hub.example]
              quay.io:
                aliases: [ghcr.io]
            """
        #expect(
            problems(text) == [
                "tidepool.yaml:4: upstreams.ghcr.io.aliases: \"hub.example\" already names docker.io",
                "tidepool.yaml:6: upstreams.quay.io.aliases: \"ghcr.io\" already names ghcr.io",
            ]
        )
    }

    @Test("an alias without a dot is taken with a warning, one with a dot without")
    func shadowingAlias() throws {
        let loaded = try load(inDockerHub("aliases: [dockerhub, hub.example]"))
        #expect(loaded.settings.upstreams[0].aliases == ["dockerhub", "hub.example"])
        #expect(loaded.warnings.count == 1)
        #expect(loaded.warnings.first?.line == 3)
        #expect(loaded.warnings.first?.message.contains("hides the Docker Hub organisation") == true)
    }

    @Test("the default upstream must be one of them")
    func defaultUpstream() throws {
        #expect(try load("upstreams: { ghcr.io: {} }\ndefault_upstream: ghcr.io").settings.defaultUpstream == "ghcr.io")
        #expect(
            problems("default_upstream: docker.oi") == [
                "tidepool.yaml:1: default_upstream: \"docker.oi\" is not one of the upstreams; did you mean docker.io?"
            ]
        )
    }

    @Test("credentials are what is given, else what Docker has")
    func credentials() throws {
        #expect(try dockerHub("retries: 1").credentials == .automatic)
        #expect(try dockerHub("auth: anonymous").credentials == .anonymous)
        #expect(try dockerHub("auth: docker_config").credentials == .dockerConfig)
        let basic = Credentials.basic(username: "me", password: Secret("pw"))
        #expect(try dockerHub("auth: basic\ncredentials: { username: me, password: pw }").credentials == basic)
        #expect(try dockerHub("credentials: { username: me, password: pw }").credentials == basic)
        #expect(try dockerHub("auth: token\ntoken: abc").credentials == .token(Secret("abc")))
    }

    @Test("credentials that are both empty count as not given")
    func emptyCredentials() throws {
        let lines = "credentials: { username: \"${NAME:-}\", password: \"${WORD:-}\" }"
        #expect(try dockerHub(lines).credentials == .automatic)
        #expect(
            try dockerHub(lines, ["NAME": "me", "WORD": "pw"]).credentials
                == .basic(username: "me", password: Secret("pw"))
        )
    }

    @Test(
        "credentials that do not fit together are a mistake",
        arguments: [
            ("credentials: { username: me }", "credentials.password"),
            ("credentials: { username: \"\", password: pw }", "credentials.username"),
            ("auth: basic", "auth"), ("auth: token", "auth"), ("auth: basic\ncredentials: {}", "auth"),
            ("token: t\ncredentials: { username: me, password: pw }", "token"), ("auth: bearer", "auth"),
        ]
    )
    func wrongCredentials(lines: String, key: String) {
        let error = #expect(throws: SettingsError.self) { try load(inDockerHub(lines)) }
        #expect(error?.problems.map(\.path) == ["upstreams.docker.io.\(key)"])
    }

    @Test("credentials that another method leaves unused are warned of")
    func unusedCredentials() throws {
        let loaded = try load(inDockerHub("auth: anonymous\ncredentials: { username: me, password: pw }\ntoken: t"))
        #expect(loaded.warnings.map(\.path) == ["upstreams.docker.io.credentials", "upstreams.docker.io.token"])
    }

    @Test("a content source is a URL, alone or with the repositories that it may know of")
    func contentSources() throws {
        let lines = """
            content_sources:
              - https://a.example
              - { url: "https://b.example", repositories: ["library/*"] }
            """
        let sources = try dockerHub(lines).contentSources
        #expect(sources.map(\.url.description) == ["https://a.example", "https://b.example"])
        #expect(sources.map(\.repositories) == [[], ["library/*"]])
    }

    @Test(
        "patterns are names with wildcards",
        arguments: [
            ("library/*", true), ("myorg/**", true), ("a-?.b_c", true), ("**", true), ("a/***", false),
            ("a/b**", false),
            ("/a", false), ("a/", false), ("a//b", false), ("a:b", false), ("", false), ("[ab]", false),
        ]
    )
    func patterns(pattern: String, isValid: Bool) {
        #expect(problems(inDockerHub("allow: [\"\(pattern)\"]")).isEmpty == isValid)
    }

    @Test("asking again may not take longer than answering")
    func timeouts() {
        let lines = "timeouts: { answer_within: 5s, revalidate_within: 6s }"
        #expect(
            problems(inDockerHub(lines)) == [
                "tidepool.yaml:3: upstreams.docker.io.timeouts.revalidate_within: must not be longer than answer_within (5s)"
            ]
        )
    }
}
