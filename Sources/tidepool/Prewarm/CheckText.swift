import Foundation
import Ocync
import YAMLReading

/// What `prewarm --check` prints.
enum CheckText {
    /// A document for scripts; what is wrong with a file, or odd about it.
    private struct Document: Encodable {
        var problems: [Finding]
        var warnings: [Finding]
    }

    private struct Finding: Encodable {
        var line: Int?
        var path: String
        var message: String

        init(_ problem: Problem) {
            (line, path, message) = (problem.line, problem.path, problem.message)
        }
    }

    /// What is said of a file that is accepted; its warnings are told elsewhere.
    static func text(_ loaded: LoadedOcync, file: String, json: Bool) -> String {
        if json { return Self.json(Document(problems: [], warnings: loaded.warnings.map(Finding.init))) }
        let registries = Amount.count(loaded.configuration.registries.count, "registry", "registries")
        let mappings = Amount.count(loaded.configuration.mappings.count, "mapping")
        let warnings = loaded.warnings.isEmpty ? "" : ", \(Amount.count(loaded.warnings.count, "warning"))"
        return "\(file): valid, \(registries), \(mappings)\(warnings)"
    }

    static func refusal(_ error: OcyncError) -> String {
        json(Document(problems: error.problems.map(Finding.init), warnings: []))
    }

    private static func json(_ document: Document) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Texts and numbers always encode.
        return String(decoding: (try? encoder.encode(document)) ?? Data(), as: UTF8.self)
    }
}
