import Testing
import YAMLReading

@testable import Settings

@Suite("Mistakes in a settings file")
struct ProblemTests {
    @Test("all of them are reported at once, in the order of their lines")
    func allAtOnce() {
        let text = """
            listen:
              - address: 5000
            drian: 5s
            upstreams:
              docker.io:
                tag_ttl: 60x
                retries: many
            cache: { min_free: 120%, max_size: 50GBB }
            """
        #expect(
            problems(text) == [
                "tidepool.yaml:2: listen[0].address: \"5000\" is not an address; write host:port, such as 127.0.0.1:5000"
                    + " or [::]:5000",
                "tidepool.yaml:3: unknown key \"drian\"; did you mean \"drain\"?",
                "tidepool.yaml:6: upstreams.docker.io.tag_ttl: \"60x\" is not a duration; write a number and a unit,"
                    + " such as 60s",
                "tidepool.yaml:7: upstreams.docker.io.retries: \"many\" is not a whole number from 0 to 100",
                "tidepool.yaml:8: cache.max_size: \"50GBB\" is not a size; write a whole number and a unit, such as 50GB"
                    + " or 64GiB",
                "tidepool.yaml:8: cache.min_free: \"120%\" is not a percentage or a size; write 5% or 10GB",
            ]
        )
    }

    @Test(
        "a key that is nothing like any gets no suggestion",
        arguments: ["storage", "zzz"]
    )
    func noSuggestion(key: String) {
        #expect(problems("\(key): 1") == ["tidepool.yaml:1: unknown key \"\(key)\""])
    }

    @Test("a key that is given twice is a mistake, and does not hide others")
    func repeatedKeys() {
        let text = """
            drain: 5s
            upstreams:
              ghcr.io: { retries: 1, retries: 2 }
            drain: 6s
            "log": { level: loud }
            """
        #expect(
            problems(text) == [
                "tidepool.yaml:3: upstreams.ghcr.io.retries: is given more than once; the first is in line 3",
                "tidepool.yaml:4: drain: is given more than once; the first is in line 1",
                "tidepool.yaml:5: log.level: \"loud\" is not one of trace, debug, info, notice, warning, error, critical",
            ]
        )
    }

    @Test(
        "a text that is not YAML names the line",
        arguments: [
            ("drain: 5s\nlog: [", "tidepool.yaml:3: this is not valid YAML"),
            ("a: b: c", "tidepool.yaml:1: this is not valid YAML"),
            ("log:\n\tlevel: info", "tidepool.yaml:2: this is not valid YAML"),
            ("a: 1\n---\nb: 2", "tidepool.yaml:2: this is not valid YAML"),
            ("drain: *nowhere", "tidepool.yaml:1: this is not valid YAML"),
        ]
    )
    func syntax(text: String, start: String) {
        let problems = problems(text)
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix(start) == true, "\(problems)")
    }

    @Test(
        "a value of the wrong kind is a mistake",
        arguments: [
            ("- a", "tidepool.yaml:1: the file must be a mapping of keys to values"),
            ("text", "tidepool.yaml:1: the file must be a mapping of keys to values"),
            ("drain: [5s]", "tidepool.yaml:1: drain: must be a single value, not a list or a mapping"),
            ("cache: 5GB", "tidepool.yaml:1: cache: must be a mapping of keys to values"),
            ("listen: 127.0.0.1:80", "tidepool.yaml:1: listen: must be a list, such as [a, b]"),
            (
                "listen: [127.0.0.1:80]",
                "tidepool.yaml:1: listen[0]: must be a mapping with an address, such as {address: 127.0.0.1:5000}"
            ),
            ("listen: [{}]", "tidepool.yaml:1: listen[0].address: is needed"),
            ("listen: []", "tidepool.yaml:1: listen: must have at least one address"),
            ("upstreams: { ghcr.io: yes }", "tidepool.yaml:1: upstreams.ghcr.io: must be a mapping of keys to values"),
            ("{ [a]: b }", "tidepool.yaml:1: a key must be a plain text"),
        ]
    )
    func wrongKinds(text: String, problem: String) {
        #expect(problems(text) == [problem])
    }

    @Test("TLS takes a certificate and a key")
    func tlsPair() {
        let text = "listen: [{ address: \"[::]:443\", tls: { certificate: a.crt } }]"
        #expect(
            problems(text) == [
                "tidepool.yaml:1: listen[0].tls.key: is needed: TLS takes a certificate and its key"
            ]
        )
    }

    @Test("an address is listened on once")
    func repeatedAddress() {
        let text = "listen:\n  - address: 127.0.0.1:80\n  - address: 127.0.0.1:80"
        #expect(problems(text) == ["tidepool.yaml:3: listen[1].address: is given more than once"])
    }

    @Test("an unset variable is named with its line and the remedy")
    func unsetVariable() {
        #expect(
            problems("drain: 5s\ndata_dir: ${STATE}/tidepool") == [
                "tidepool.yaml:2: data_dir: \"${STATE}/tidepool\" needs the environment variable STATE, which is not set;"
                    + " set it, or write ${STATE:-default}"
            ]
        )
    }

    @Test("no problem shows what the environment or a secret holds")
    func secretsStayHidden() {
        let text = inDockerHub(
            """
            tag_ttl: ${PASSWORD}
            endpoint: https://user:hunter2@registry.example
            proxy: hunter2
            token: "hunter2${"
            credentials: { username: me, password: "hunter2${UNSET}" }
            """
        )
        let problems = problems(text, ["PASSWORD": "hunter2"])
        #expect(problems.count == 6)
        #expect(!problems.joined().contains("hunter2"), "\(problems)")
    }

    @Test("a file that cannot be read is named, with the reason")
    func missingFile() {
        let error = #expect(throws: SettingsError.self) {
            try MirrorSettings.load(file: "/nonexistent/tidepool.yaml", environment: [:])
        }
        #expect(error?.description == "/nonexistent/tidepool.yaml: there is no such file")
    }
}
