import Testing
import YAMLReading

@Suite("YAML as a tree with lines")
struct YAMLDocumentTests {
    @Test("nodes know their lines, and scalars how they were written")
    func lines() throws {
        let root = try #require(try YAMLDocument("# first\nname: 1.10\nlist:\n  - 'a'\n  - !!str b\n").root)
        let entries = try #require(root.mapping)
        #expect(entries.map(\.name) == ["name", "list"])
        #expect(entries.map(\.line) == [2, 3])
        #expect(entries[0].value.scalar == YAMLScalar(text: "1.10", isPlain: true))
        let list = try #require(entries[1].value.sequence)
        #expect(list.map(\.line) == [4, 5])
        #expect(list[0].scalar == YAMLScalar(text: "a", isPlain: false, tag: "tag:yaml.org,2002:str"))
        #expect(list[1].scalar == YAMLScalar(text: "b", isPlain: true, tag: "tag:yaml.org,2002:str"))
    }

    @Test(
        "a repeated key is there as often as the file has it",
        arguments: [
            "a: 1\nb: 2\na: 3", "{a: 1, b: 2, a: 3}", "'a': 1\nb: 2\n\"a\": 3", "# é\r\na: 1\r\nb: 2\r\na: 3",
            "\u{FEFF}a: 1\nb: 2\na: 3",
        ]
    )
    func repeatedKeys(text: String) throws {
        let entries = try #require(try YAMLDocument(text).root?.mapping)
        #expect(entries.map(\.name) == ["a", "b", "a"])
        #expect(entries.map(\.value.scalar?.text) == ["1", "2", "3"])
    }

    @Test("keys that are given three times, and at different depths, are all there")
    func manyRepetitions() throws {
        let text = "a: {x: 1, x: 2}\nb: 1\na: {}\na: 2\n"
        let entries = try #require(try YAMLDocument(text).root?.mapping)
        #expect(entries.map(\.name) == ["a", "b", "a", "a"])
        #expect(entries.map(\.line) == [1, 2, 3, 4])
        #expect(entries[0].value.mapping?.map(\.name) == ["x", "x"])
    }

    @Test("a repeated key that is not written as it reads is refused")
    func escapedRepetition() {
        #expect(throws: YAMLSyntaxError(line: 1, reason: "a key is given more than once: a")) {
            try YAMLDocument("\"\\x61\": 1\na: 2")
        }
    }

    @Test("an alias is what it refers to, and an unknown one is refused")
    func aliases() throws {
        let entries = try #require(try YAMLDocument("x: &v {k: 1}\ny: *v").root?.mapping)
        #expect(entries[1].value.mapping?.map(\.name) == ["k"])
        #expect(throws: YAMLSyntaxError(line: 1, reason: "this is not valid YAML: found undefined alias")) {
            try YAMLDocument("y: *v")
        }
    }

    @Test("aliases of aliases cost nothing until they are looked at")
    func manyAliases() throws {
        let levels = (1...60).map { "l\($0): [*l\($0 - 1), *l\($0 - 1)]".replacing("l\($0):", with: "l\($0): &l\($0)") }
        let text = (["l0: &l0 [x]"] + levels).joined(separator: "\n")
        #expect(try YAMLDocument(text).root?.mapping?.count == 61)
    }

    @Test("a text without content has no root, and one with two documents is refused")
    func documents() throws {
        #expect(try YAMLDocument("").root == nil)
        #expect(try YAMLDocument("# nothing\n").root == nil)
        #expect(try YAMLDocument("---\na: 1\n...\n").root?.mapping?.count == 1)
        #expect(throws: YAMLSyntaxError.self) { try YAMLDocument("a: 1\n---\na: 1") }
    }

    @Test("the reason of a refusal names a line and no content")
    func reasons() throws {
        let error = #expect(throws: YAMLSyntaxError.self) { try YAMLDocument("a: 1\n\tb: hunter2") }
        #expect(error?.line == 2)
        #expect(error?.reason.contains("hunter2") == false)
    }
}
