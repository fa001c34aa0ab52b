import YAMLReading

@testable import Settings

/// Reads `text` as the file `tidepool.yaml`.
func load(_ text: String, _ environment: [String: String] = [:]) throws(SettingsError) -> LoadedSettings {
    try MirrorSettings.load(text: text, file: "tidepool.yaml", environment: environment)
}

/// What is wrong with `text`, a line each.
func problems(_ text: String, _ environment: [String: String] = [:]) -> [String] {
    do throws(SettingsError) {
        _ = try load(text, environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

/// The settings of the upstream `docker.io` that has these lines, written without indentation.
func dockerHub(_ lines: String, _ environment: [String: String] = [:]) throws -> UpstreamSettings {
    try load(inDockerHub(lines), environment).settings.upstreams[0]
}

/// A file whose third line is the first of `lines`.
func inDockerHub(_ lines: String) -> String {
    "upstreams:\n  docker.io:\n"
        + lines.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)\n" }.joined()
}
