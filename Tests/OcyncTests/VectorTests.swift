import Testing
import YAMLReading

@testable import Ocync

@Suite("What ocync itself was seen to do")
struct VectorTests {
    @Test("a file that ocync loads is loaded", arguments: Vectors.all.config.filter(\.ok))
    func accepted(vector: ConfigVector) throws {
        _ = try load(vector.yaml, Vectors.all.environment, leniency: .none)
    }

    @Test("a file that ocync refuses is refused, at the same place", arguments: Vectors.all.config.filter { !$0.ok })
    func refused(vector: ConfigVector) throws {
        let ours = problems(vector.yaml, Vectors.all.environment, leniency: .none)
        let theirs = ObservedError(try #require(vector.error))
        #expect(
            ours.contains(where: theirs.isMet),
            "\(ours.map(\.description)) does not say what ocync says: \(theirs.text)"
        )
    }

    @Test("references are replaced as ocync replaces them", arguments: Vectors.all.env)
    func environment(vector: EnvironmentVector) throws {
        let expansion = EnvironmentExpansion(
            environment: Vectors.all.environment,
            refusesSecrets: !vector.allowsSecrets
        )
        let expanded = expansion.expand(vector.text)
        if let out = vector.out {
            #expect(expanded.text == out)
            #expect(expanded.failures.isEmpty)
        } else {
            let error = try #require(vector.error)
            #expect(expanded.failures.map(\.description).contains { $0 == error || $0.hasPrefix("\(error);") })
        }
    }

    @Test("tags are filtered as ocync filters them", arguments: Vectors.all.filter)
    func filter(vector: FilterVector) throws {
        let filter = TagFilter(own: vector.mappingTags?.block, defaults: vector.defaultsTags?.block)
        if let error = vector.error {
            let thrown = #expect(throws: TagFilterError.self) { try filter.apply(to: vector.sourceTags) }
            #expect(thrown?.description == error)
            return
        }
        let selection = try filter.apply(to: vector.sourceTags)
        #expect(selection.kept == vector.exact ?? vector.kept)
        #expect(selection.isLiteral == (vector.exact != nil))
        guard !selection.isLiteral else { return }
        let all = selection.kept + selection.dropped.map(\.tag)
        #expect(Set(all) == Set(vector.sourceTags), "each tag is either kept or dropped")
        #expect(all.count == vector.sourceTags.count)
    }
}

/// An error of ocync's, taken apart: where it is, and what it quotes.
private struct ObservedError {
    var text: String
    private var path: Substring?
    private var line: Int?
    private var quoted: [Substring]

    init(_ text: String) {
        self.text = text
        line = text.firstMatch(of: /at line (\d+) column/).flatMap { Int($0.1) }
        path = text.firstMatch(of: /<path>: ([a-z_]+[a-z_0-9.\[\]]*):/)?.1
        path = path ?? text.firstMatch(of: /validation error: ((registries|global|defaults)[a-z_.]*)/)?.1
        // What the validator quotes are names of the file; the sentences of the YAML library are not ours.
        quoted = text.hasPrefix("config validation error") ? text.matches(of: /'([^']+)'/).map { $0.1 } : []
    }

    /// Whether one of our problems is about the same.
    func isMet(by problem: Problem) -> Bool {
        if let line, problem.line != line { return false }
        if let path, !problem.path.hasPrefix(path) { return false }
        return quoted.allSatisfy { problem.description.contains("'\($0)'") || problem.path.hasPrefix("\($0)") }
    }
}
