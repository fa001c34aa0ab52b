import Foundation
import OCI
import Testing
import YAMLReading

@testable import Settings

@Suite("The settings file that is shipped, and what is printed")
struct ShippedFileTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Every key that a file may have, as the reader asks for them.
    private static func knownKeys() throws -> Set<String> {
        let full = """
            listen: [{ address: "127.0.0.1:1", tls: { certificate: a, key: b } }]
            upstreams:
              docker.io:
                credentials: {}
                content_sources: [{ url: "https://a.example", repositories: [a] }]
                concurrency: {}
                timeouts: {}
            cache: {}
            limits: {}
            admin: {}
            log: {}
            """
        let findings = Findings(file: "full.yaml", environment: [:])
        _ = try MirrorSettings.read(full, [:], findings)
        #expect(findings.problems.isEmpty)
        return findings.knownKeys
    }

    @Test("config/tidepool.yaml says what the defaults are, without a problem or a warning")
    func shippedDefaults() throws {
        let environment = ["HOME": "/home/me"]
        let loaded = try load(try Self.text("config/tidepool.yaml"), environment)
        #expect(loaded.settings == MirrorSettings(environment: environment))
        #expect(loaded.warnings.isEmpty)
    }

    @Test("config/tidepool.yaml takes Docker Hub's credentials from the environment")
    func shippedCredentials() throws {
        let environment = ["DOCKER_USERNAME": "me", "DOCKER_PASSWORD": "pw"]
        let hub = try load(try Self.text("config/tidepool.yaml"), environment).settings.upstreams[0]
        #expect(hub.credentials == .basic(username: "me", password: Secret("pw")))
    }

    @Test("every key is in config/tidepool.yaml and in docs/operations.md")
    func everyKeyIsDocumented() throws {
        let shipped = try Self.text("config/tidepool.yaml")
        let operations = try Self.text("docs/operations.md")
        let keys = try Self.knownKeys()
        #expect(keys.count > 50)
        for key in keys {
            let name = key.split(separator: ".").last.map(String.init) ?? key
            let isShipped = shipped.contains("\(name):")
            #expect(isShipped, "config/tidepool.yaml does not have \(key)")
            let isDocumented = operations.contains("`\(key)`")
            #expect(isDocumented, "docs/operations.md does not have \(key)")
        }
    }

    @Test("a key that is planned exists, and is marked so in config/tidepool.yaml")
    func plannedKeys() throws {
        let keys = try Self.knownKeys()
        #expect(keys.isSuperset(of: PlannedKeys.features.keys))
        let marks = try Self.text("config/tidepool.yaml").split(separator: "\n").count { $0.contains("# Planned (") }
        #expect(marks == PlannedKeys.features.count)
    }

    @Test("a planned key that is set gets a warning, one at its default does not")
    func plannedWarning() throws {
        let loaded = try load("cache: { min_free: 5% }\nadmin: { address: 127.0.0.1:9 }")
        #expect(
            loaded.warnings.map(\.description) == [
                "tidepool.yaml:2: admin.address: has no effect in this release; it comes with the admin API"
            ]
        )
    }

    @Test("an empty file gives the defaults", arguments: ["", "\n# nothing\n", "{}", "cache:\nupstreams:\nlisten:"])
    func emptyFile(text: String) throws {
        #expect(try load(text).settings == MirrorSettings(environment: [:]))
    }

    @Test(
        "the data directory is where the XDG specification puts it",
        arguments: [
            (["XDG_DATA_HOME": "/xdg", "HOME": "/home/me"], "/xdg/tidepool"),
            (["XDG_DATA_HOME": "relative", "HOME": "/home/me"], "/home/me/.local/share/tidepool"),
            ([:], "/var/lib/tidepool"),
        ]
    )
    func dataDirectory(environment: [String: String], path: String) {
        #expect(MirrorSettings(environment: environment).dataDirectory == path)
    }

    @Test("the command line names the file, or else TIDEPOOL_CONFIG, or else there is none")
    func whichFile() throws {
        let environment = ["TIDEPOOL_CONFIG": "/env.yaml"]
        #expect(SettingsFile.path(given: "/given.yaml", environment: environment) == "/given.yaml")
        #expect(SettingsFile.path(given: nil, environment: environment) == "/env.yaml")
        #expect(SettingsFile.path(given: nil, environment: ["TIDEPOOL_CONFIG": ""]) == nil)
        #expect(try MirrorSettings.load(file: nil, environment: [:]).settings == MirrorSettings(environment: [:]))
    }

    @Test("relative paths start at the file's directory")
    func relativePaths() throws {
        let settings = try MirrorSettings.load(text: "data_dir: state", file: "/etc/tidepool.yaml", environment: [:])
        #expect(settings.settings.dataDirectory == "/etc/state")
    }

    @Test("what check-config prints is a file with the same meaning")
    func rendering() throws {
        let text = """
            listen: [{ address: "[::]:5000", tls: { certificate: /a.crt, key: "/a b$$.key" } }]
            upstreams:
              docker.io: { aliases: [hub.example], tag_ttl: 90s, ca_file: /ca.pem, allow: ["library/*", "a/**"] }
              "registry.example:5000": { auth: anonymous, content_sources: [{ url: "http://a", repositories: ["x*"] }] }
            default_upstream: registry.example:5000
            cache: { max_size: 10GiB, min_free: 1GB }
            admin: { address: "127.0.0.1:9000" }
            when_exhausted: 429
            """
        let settings = try load(text).settings
        let printed = settings.rendered
        #expect(try load(printed).settings == settings, "\(printed)")
        #expect(try load(MirrorSettings(environment: [:]).rendered).settings == MirrorSettings(environment: [:]))
    }

    @Test("what check-config prints has no secret in it")
    func redaction() throws {
        let text = """
            upstreams:
              docker.io: { credentials: { username: me, password: hunter2 }, proxy: "http://me:hunter2@proxy:3128" }
              ghcr.io: { token: hunter2 }
            admin: { token: hunter2 }
            """
        let printed = try load(text).settings.rendered
        #expect(!printed.contains("hunter2"))
        #expect(printed.split(separator: "<redacted>", omittingEmptySubsequences: false).count == 5)
    }

    @Test("files that the settings name must be readable")
    func namedFiles() throws {
        let text = """
            listen: [{ address: "127.0.0.1:1", tls: { certificate: /a.crt, key: /a.key } }]
            upstreams: { docker.io: { ca_file: /ca.pem } }
            """
        let settings = try load(text).settings
        let error = #expect(throws: SettingsError.self) {
            try settings.checkFiles(namedIn: "tidepool.yaml") { $0 == "/a.crt" }
        }
        #expect(error?.problems.map(\.path) == ["listen[0].tls.key", "upstreams.docker.io.ca_file"])
    }
}
