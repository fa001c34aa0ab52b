import Testing
import YAMLReading

@testable import Ocync

@Suite("References to the environment")
struct EnvironmentTests {
    private let environment = ["SET": "val", "EMPTY": "", "LINES": "a\n# b", "REFERENCE": "${SET}", "NUMBER": "5"]

    private func expand(_ text: String) -> ExpandedText {
        EnvironmentExpansion(environment: environment).expand(text)
    }

    @Test(
        "are replaced by the variable or what stands in for it",
        arguments: [
            ("${SET}", "val"), ("${UNSET}", ""), ("${EMPTY}", ""), ("x${SET}y${SET}z", "xvalyvalz"),
            ("${UNSET:-def}", "def"), ("${EMPTY:-def}", "def"), ("${SET:-def}", "val"), ("${UNSET:-}", ""),
            ("${SET:?needed}", "val"), ("${UNSET:-a:-b}", "a:-b"), ("${UNSET:-a:?b}", "a:?b"),
            ("${UNSET:?x:-y}", "y"), ("${UNSET:- spaced }", " spaced "),
        ]
    )
    func forms(text: String, result: String) {
        let expanded = expand(text)
        #expect(expanded.text == result)
        #expect(expanded.failures.isEmpty)
    }

    @Test(
        "know no escape, no nesting, no second pass and no other form",
        arguments: [
            ("$SET", "$SET"), ("$$SET", "$$SET"), ("$${SET}", "$val"), ("\\${SET}", "\\val"), ("$ {SET}", "$ {SET}"),
            ("${REFERENCE}", "${SET}"), ("${UNSET:-${SET}}", "${SET}"), ("${UNSET-def}", ""), ("${SET:+alt}", ""),
            ("${ SET }", ""), ("${}", ""), ("${unclosed and ${SET}", ""), ("a ${SET", "a ${SET"),
            ("${SET} ${", "val ${"), ("'${SET}' \"${SET}\"", "'val' \"val\""), ("# ${SET}", "# val"),
            ("{$SET}", "{$SET}"), ("", ""),
        ]
    )
    func oddities(text: String, result: String) {
        let expanded = expand(text)
        #expect(expanded.text == result)
        #expect(expanded.failures.isEmpty)
    }

    @Test("a needed variable that is not set fails, in comments too, and every one is reported with its line")
    func required() {
        let text = "a: ${UNSET:?need it}\n# ${EMPTY:?}\nb: ${SET:?x}\nc: ${OTHER:?}"
        #expect(
            problems(text, environment).map(\.description) == [
                "ocync.yaml:1: required environment variable not set: need it; set UNSET",
                "ocync.yaml:2: required environment variable not set: EMPTY; set EMPTY",
                "ocync.yaml:4: required environment variable not set: OTHER; set OTHER",
            ]
        )
    }

    @Test("a variable's value is YAML, with the type and the structure that it has")
    func valueIsYAML() throws {
        let text = """
            registries: {a: {url: ghcr.io, max_concurrent: ${NUMBER}}}
            mappings: ${LIST}
            """
        let list = ["NUMBER": "5", "LIST": "\n  - {from: a/b, tags: {}}\n  - {from: c/d, tags: {}}"]
        let configuration = try load(text, list).configuration
        #expect(configuration.registries.map(\.maxConcurrent) == [5])
        #expect(configuration.mappings.map(\.from) == ["a/b", "c/d"])
    }

    @Test("lines are those of the file, also behind values and references of several lines")
    func lines() {
        let text = "# ${LINES}\n# ${UNSET:-\n}\nglobal: {cache_ttl: x}\nmappings: []"
        #expect(problems(text, environment).map(\.line) == [4])
        let expanded = expand("${LINES}\nx")
        #expect([1, 2, 3].map(expanded.sourceLine) == [1, 1, 2])
    }

    @Test("a variable that is not set is warned about, but not in a comment and not with a default")
    func unset() throws {
        let text = "# ${UNSET}\nx: ${UNSET}\ny: ${UNSET:-z}\nz: ${EMPTY}\nw: ${SET:+alt}\nmappings: []"
        let warnings = try load(text, environment).warnings.filter { !$0.message.hasPrefix("unknown key") }
        #expect(
            warnings.map(\.description) == [
                "ocync.yaml:2: the environment variable UNSET is not set; nothing is put in its place",
                "ocync.yaml:5: ${SET:+alt} is replaced by nothing; ocync knows ${NAME}, ${NAME:-default} and "
                    + "${NAME:?message} only",
            ]
        )
    }

    @Test("problems and warnings never show what a variable holds")
    func noValues() throws {
        let secret = ["DB_PASSWORD": "hunter2", "HOST": "internal.example"]
        let text = """
            registries: {a: {url: "${HOST}/x", auth_type: "${DB_PASSWORD}", ${DB_PASSWORD}: 1}}
            mappings: [{from: a, source: "${HOST}", tags: {}}]
            """
        let found = problems(text, secret).map(\.description)
        #expect(!found.isEmpty)
        #expect(found.allSatisfy { !$0.contains("hunter2") && !$0.contains("internal.example") })
        #expect(found[0].contains("\"${DB_PASSWORD}\" is not one of"))
    }

    @Test("a value that YAML reads without the line break at its end is not shown either")
    func noTrimmedValues() throws {
        let text = "registries:\n  a:\n    url: x\n    auth_type: ${MY_TOKEN}\nmappings: []"
        let found = problems(text, ["MY_TOKEN": "hunter2\n"]).map(\.description)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("ocync.yaml:4: registries.a.auth_type: \"${MY_TOKEN}\" is not one of") == true)
    }

    @Test(
        "names of secrets are known by a part of them, in any case",
        arguments: [
            ("MY_SECRET", true), ("db_password", true), ("TOKENIZER", true), ("PRIVATE_KEY_FILE", true),
            ("CREDENTIALS", true), ("API_KEYS", true), ("APIKEY", false), ("HOME", false), ("PASSWD", false),
        ]
    )
    func secretNames(name: String, isSecret: Bool) {
        #expect(EnvironmentExpansion.isSecret(name) == isSecret)
    }
}
