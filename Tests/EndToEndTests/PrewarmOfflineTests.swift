import FoundationEssentials
import MirrorTesting
import Testing

extension EndToEnd {
    /// What ocync was seen to do, asked of the command: these cases are a target's own tests, too.
    @Suite("tidepool prewarm --check and --tags-file")
    struct PrewarmOfflineTests {
        private struct Vectors: Decodable {
            var environment: [String: String]
            var config: [Config]

            enum CodingKeys: String, CodingKey {
                case environment = "env_vars"
                case config
            }

            struct Config: Decodable {
                var name: String
                var yaml: String
                var ok: Bool
            }
        }

        private static func vectors() throws -> Vectors {
            let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            let file = tests.appending(path: "OcyncTests/Fixtures/ocync-vectors.json")
            return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
        }

        private static let hub = "registries: { hub: { url: docker.io } }\ndefaults: { source: hub }\n"

        /// Runs it on a file; no settings, no data directory, nobody to be asked.
        private static func prewarm(
            _ arguments: [String],
            _ yaml: String,
            environment: [String: String] = [:]
        ) async throws -> CommandResult {
            let directory = try TemporaryDirectory("check")
            let file = try directory.write(yaml, to: "ocync.yaml")
            try directory.write(#"{"library/nginx": ["latest", "1.24.0", "1.25.0", "1.26.0-rc1"]}"#, to: "tags.json")
            let words = ["prewarm"] + arguments.map { $0.replacing("TAGS", with: directory.path("tags.json")) } + [file]
            return try await TidepoolProcess.run(words, environment: environment)
        }

        @Test("--check ends with 3 for what ocync refuses to load, but for what its documentation shows")
        func check() async throws {
            let vectors = try Self.vectors()
            for vector in vectors.config {
                let result = try await Self.prewarm(["--check"], vector.yaml, environment: vectors.environment)
                let isLenient = result.errors.contains("ocync itself refuses this")
                #expect(result.status == .exited(vector.ok || isLenient ? 0 : 3), "\(vector.name): \(result)")
            }
        }

        @Test("--check warns of what ocync refuses when it runs, and names the mapping")
        func warnings() async throws {
            let result = try await Self.prewarm(
                ["--check"],
                """
                registries: { hub: { url: docker.io } }
                mappings:
                  - { from: library/nginx, source: hub, tags: { glob: "[x" } }
                  - { from: library/redis, tags: { semver: "^1" } }
                  - { from: "a:b", source: hub, tags: {}, platform: x }
                """
            )
            #expect(result.succeeded, "\(result)")
            for text in [
                "yaml:3: mappings[0]: mapping 'library/nginx': ocync refuses this when it runs: invalid glob pattern '[x'",
                "yaml:4: mappings[1]: mapping 'library/redis': ocync refuses this when it runs: mapping 'library/redis': no source",
                "yaml:4: mappings[1]: mapping 'library/redis': ocync refuses this when it runs: invalid version range '^1'",
                "yaml:5: mappings[2]: mapping 'a:b': ocync refuses this when it runs: invalid image reference",
                "unknown key \"platform\" is ignored; did you mean \"platforms\"?",
            ] {
                #expect(result.errors.contains(text), "\(text) is not in\n\(result)")
            }
            #expect(result.output.hasSuffix("ocync.yaml: valid, 1 registry, 3 mappings, 6 warnings\n"), "\(result)")
        }

        @Test("a file that is missing, or no text, is a configuration error")
        func unreadable() async throws {
            let result = try await TidepoolProcess.run(["prewarm", "--check", "/nonexistent/ocync.yaml"])
            #expect(result.status == .exited(3) && result.errors.contains("there is no such file"), "\(result)")
            let directory = try TemporaryDirectory("check")
            try Data([0x6d, 0xff, 0xfe]).write(to: URL(filePath: directory.path("latin1.yaml")))
            let binary = try await TidepoolProcess.run(["prewarm", "--check", directory.path("latin1.yaml")])
            #expect(binary.status == .exited(3) && binary.errors.contains("it is not UTF-8 text"), "\(binary)")
        }

        @Test("--tags-file explains a filter without any request, and a Helm values file will do")
        func helm() async throws {
            let values = """
                mode: cronjob
                config:
                  registries: { hub: { url: docker.io } }
                  defaults: { source: hub }
                  mappings:
                    - { from: library/nginx, to: nginx, tags: { semver: ">=1.25" } }
                envFrom: []
                """
            let result = try await Self.prewarm(["--dry-run", "--tags-file", "TAGS", "--json"], values)
            #expect(result.succeeded, "\(result)")
            let plan = try PrintedPlan(result)
            #expect(plan.mappings.map(\.tags) == [["1.25.0"]] && plan.mappings[0].literal == false)
            for absent in ["images", "manifest_reads", "bytes", "quota"] {
                #expect(!result.output.contains("\"\(absent)\""), "\(result)")
            }
        }

        @Test(
            "a mapping that fails has its error, and the exit code that ocync's would be",
            arguments: [
                (#"{ from: library/nginx, tags: { glob: "[" } }"#, 3, "invalid glob pattern '['"),
                (#"{ from: library/nginx, tags: { semver: "^1" } }"#, 3, "unsupported range syntax '^1'"),
                (#"{ from: library/nginx, tags: { min_tags: 9 } }"#, 3, "only 3 tag(s) matched, minimum required is 9"),
                (#"{ from: "a:b", tags: {} }"#, 2, "invalid image reference 'a:b'"),
                (#"{ from: library/other, tags: {} }"#, 2, "library/other"),
            ]
        )
        func failures(mapping: String, code: Int32, message: String) async throws {
            let yaml = Self.hub + "mappings:\n  - \(mapping)\n  - { from: library/nginx, tags: { glob: latest } }\n"
            let result = try await Self.prewarm(["--dry-run", "--tags-file", "TAGS", "--json"], yaml)
            #expect(result.status == .exited(code), "\(result)")
            let plan = try PrintedPlan(result)
            #expect(plan.mappings[0].error?.contains(message) == true, "\(result)")
            #expect(plan.mappings[1].tags == ["latest"] && plan.mappings[1].literal == true)
        }

        @Test(
            "a command line that cannot be meant ends with 64",
            arguments: [
                ["--tags-file", "TAGS"], ["--check", "--dry-run"], ["--platform", "linux"], ["--budget", "-1"],
                ["--default-tag", "a b"], ["--mirror", "nowhere"], ["--mirror", "http://m:5000", "--data-dir", "/x"],
            ]
        )
        func usage(arguments: [String]) async throws {
            #expect(try await Self.prewarm(arguments, Self.hub + "mappings: []").status == .exited(64))
        }

        @Test("--default-tag is the tag of a mapping that has none")
        func defaultTag() async throws {
            let yaml = Self.hub + "mappings: [{ from: library/nginx }]\n"
            let words = ["--dry-run", "--tags-file", "TAGS", "--json", "--default-tag", "stable"]
            let result = try await Self.prewarm(words, yaml)
            #expect(try PrintedPlan(result).mappings.map(\.tags) == [["stable"]])
            #expect(
                result.errors.contains("has no tags, and there is no defaults.tags: taking stable alone"),
                "\(result)"
            )
        }
    }
}
