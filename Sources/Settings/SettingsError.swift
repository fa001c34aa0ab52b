/// Everything that is wrong with a settings file, in the order of its lines.
package struct SettingsError: Error, Hashable {
    package let problems: [Problem]

    package init(_ problems: [Problem]) {
        self.problems = problems
    }
}

extension SettingsError: CustomStringConvertible {
    /// One problem a line.
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// One thing that is wrong, or worth a warning, and where.
package struct Problem: Hashable, Sendable {
    package var file: String
    /// From 1; `nil` when the whole file is meant.
    package var line: Int?
    /// The setting, such as `upstreams.docker.io.tag_ttl`; empty for the whole file.
    package var path: String
    /// Never holds a secret, nor a value that came from the environment.
    package var message: String

    package init(file: String, line: Int?, path: String, message: String) {
        self.file = file
        self.line = line
        self.path = path
        self.message = message
    }
}

extension Problem: CustomStringConvertible {
    /// `config/tidepool.yaml:14: upstreams.docker.io.tag_ttl: "60x" is not a duration; …`.
    package var description: String {
        var place = file
        if let line { place += ":\(line)" }
        return [place, path, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

/// Why a value was not taken, as the rest of a sentence that the value, or its setting, begins.
package struct Refusal: Error, Hashable {
    package var text: String

    package init(_ text: String) {
        self.text = text
    }
}
