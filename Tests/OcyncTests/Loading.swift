import Testing
import YAMLReading

@testable import Ocync

/// Loads `text` as the file `ocync.yaml`.
func load(
    _ text: String,
    _ environment: [String: String] = [:],
    leniency: Leniency = Leniency()
) throws(OcyncError) -> LoadedOcync {
    try OcyncConfiguration.load(text: text, file: "ocync.yaml", environment: environment, leniency: leniency)
}

/// What is wrong with `text`; nothing when it is loaded.
func problems(
    _ text: String,
    _ environment: [String: String] = [:],
    leniency: Leniency = Leniency()
) -> [Problem] {
    do throws(OcyncError) {
        _ = try load(text, environment, leniency: leniency)
        return []
    } catch {
        return error.problems
    }
}

/// The filter of the only mapping, with the given lines of its `tags`.
func tags(_ block: String) throws -> TagFilter {
    let lines = block.split(separator: "\n").map { "      \($0)\n" }.joined()
    let text = "registries: {s: {url: ghcr.io}}\ndefaults: {source: s}\nmappings:\n  - from: a/b\n    tags:\n\(lines)"
    return try #require(try load(text).configuration.mappings.first).tags
}
