import OCI
import Testing
import YAMLReading

@testable import Ocync

@Suite("The types of YAML's scalars")
struct ScalarTests {
    @Test(
        "what could be a number, a flag or null is no text unless it is quoted",
        arguments: [
            "1.10", "15", "0", "-1", "+1", "0x1F", "-0x1F", "0o17", "0b101", "1e10", "1E+5", ".5", "5.", "1.e3", "0.0",
            "012.5", "012e3", ".inf", "-.INF", "+.Inf", ".nan", "true", "True", "FALSE", "null", "Null", "~", "",
            "20240115", "123456789012345678901234567890123456789012",
        ]
    )
    func notText(text: String) {
        #expect(!YAMLScalar(text: text, isPlain: true).isText)
        #expect(YAMLScalar(text: text, isPlain: false).isText)
        #expect(YAMLScalar(text: text, isPlain: true, tag: "tag:yaml.org,2002:str").isText)
    }

    @Test(
        "everything else is, by the rules of YAML 1.2",
        arguments: [
            "yes", "no", "on", "off", "y", "n", "Yes", "tRUE", "1_000", "012", "00", "-012", "2024-01-15", "12:30",
            "1.2.3", "v1", "NaN", "nan", "inf", "Infinity", ".NAn", "+.nan", "1e", "e5", ".", "-", "+", "0x", "0xZZ",
            "0x1G",
            "0o8", "0b2", "--1", "+-1", "1.2e3.4", "1e400", "12e4567", "nULL", "latest", "1.0-rc", "1,5",
            "0x123456789012345678901234567890123",
        ]
    )
    func text(text: String) {
        #expect(YAMLScalar(text: text, isPlain: true).isText)
    }

    @Test("a tag of another kind makes no text")
    func otherTags() {
        #expect(!YAMLScalar(text: "a", isPlain: true, tag: "!custom").isText)
        #expect(!YAMLScalar(text: "1", isPlain: false, tag: "tag:yaml.org,2002:int").isText)
    }

    @Test(
        "counts are unsigned integers, in each base that YAML has",
        arguments: [
            ("0", 0), ("5", 5), ("+5", 5), ("0x10", 16), ("0o17", 15), ("0b101", 5),
            ("18446744073709551615", Int.max),
        ] as [(String, Int)]
    )
    func counts(text: String, value: Int) {
        #expect(YAMLScalar(text: text, isPlain: true).count == value)
    }

    @Test(
        "what is none is no count",
        arguments: ["-1", "-0", "5.0", "1e3", "05", "1_000", "", "~", "five", "0x", "0x+1", "18446744073709551616"]
    )
    func noCounts(text: String) {
        #expect(YAMLScalar(text: text, isPlain: true).count == nil)
        #expect(YAMLScalar(text: "5", isPlain: false).count == nil)
    }

    @Test("texts stay what was written, whatever they look like")
    func writtenTexts() throws {
        let text = """
            registries:
              012: {url: 1.10, auth_type: basic, credentials: {username: ~, password: 0x1F}}
              hub: {url: docker.io, auth_type: static_token, token: 0123}
            mappings:
              - {from: 1.20, to: 2024-01-15, source: 012, platforms: [yes/no], tags: {semver: 1.20, glob: "3.20"}}
              - {from: ~, to: ~, source: hub, tags: {glob: [012, yes, 12:30, !!str 3.20, 1.2.3]}}
            """
        let configuration = try load(text).configuration
        let registry = try #require(configuration.registries.first)
        #expect(registry.alias == "012")
        #expect(registry.url == "1.10")
        #expect(registry.credentials?.username == "~")
        #expect(registry.credentials?.password.reveal() == "0x1F")
        #expect(configuration.registries[1].token?.reveal() == "0123")
        let mappings = configuration.mappings
        #expect(mappings.map(\.from) == ["1.20", "~"])
        #expect(mappings.map(\.to) == ["2024-01-15", "~"])
        #expect(mappings[0].platforms?.map(\.description) == ["yes/no"])
        #expect(mappings[0].tags.semver == "1.20")
        #expect(mappings[0].tags.glob == ["3.20"])
        #expect(mappings[1].tags.literals == ["012", "yes", "12:30", "3.20", "1.2.3"])
    }

    @Test(
        "null is the absence of what is optional, and a mistake elsewhere",
        arguments: [
            ("mappings: [{from: a, tags: {glob: ~, semver: null, sort: , latest: Null}}]", true),
            ("mappings: [{from: a, to: ~, source: , targets: ~, platforms: NULL, artifacts: , tags: {}}]", true),
            ("mappings: [{from: a, artifacts: {include: }, tags: {}}]", true),
            ("mappings: [{from: a, artifacts: {include: ~}, tags: {}}]", false),
            ("mappings: [{from: a, artifacts: {enabled: }, tags: {}}]", false),
            ("mappings: ~", false), ("registries: ~\nmappings: []", false), ("registries:\nmappings: []", true),
            ("target_groups: {g: }\nmappings: []", true), ("target_groups: {g: ~}\nmappings: []", false),
            ("global: ~\ndefaults: ~\nmappings: []", true), ("~", false), ("[]", false), ("text", false),
        ]
    )
    func nulls(text: String, isAccepted: Bool) {
        #expect(problems(text, leniency: .none).isEmpty == isAccepted)
    }

    @Test(
        "the forms of a YAML file make no difference",
        arguments: [
            "\u{FEFF}mappings:\n  - from: a\n    tags: {}\n", "mappings:\r\n  - from: a\r\n    tags: {}\r\n",
            "# comment\n---\nmappings:\n- from: a\n  tags: {}\n...\n", "{mappings: [{from: a, tags: {}}]}",
            "\u{FEFF}x: 1\nmappings:\n  - {\"from\": 'a', tags: {}}\nx: 2",
            "x-tags: &t {}\nx-from: &f a\nmappings:\n  - {from: *f, tags: *t}",
            "mappings:\n  - from: >-\n      a\n    tags: {}",
        ]
    )
    func forms(text: String) throws {
        #expect(try load(text).configuration.mappings.map(\.from) == ["a"])
    }

    @Test(
        "what is no YAML, or more than one document, is refused with its line",
        arguments: [
            ("mappings: []\n---\nmappings: []", 2), ("mappings:\n\t- from: a", 2), ("mappings: [}", 1),
            ("mappings: [{from: a, tags: {glob: *}}]", 1), ("mappings: []\na: b: c", 2),
        ]
    )
    func notYAML(text: String, line: Int) {
        let found = problems(text)
        #expect(found.map(\.line) == [line])
        #expect(found.first?.message.hasPrefix("this is not valid YAML") == true)
    }

    @Test("a repeated key is a mistake where keys are known, and the last counts where they are names")
    func repetitions() throws {
        let text = """
            registries:
              a: {url: x, url: y}
            mappings: []
            mappings: []
            """
        #expect(
            problems(text).map(\.description) == [
                "ocync.yaml:2: registries.a.url: is given more than once",
                "ocync.yaml:4: mappings: is given more than once",
            ]
        )
        let accepted = "x: 1\nx: 2\nregistries: {a: {url: x}, a: {url: y}}\nmappings: []"
        #expect(try load(accepted).configuration.registries.map(\.url) == ["y"])
    }
}
