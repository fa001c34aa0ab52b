package import YAMLReading

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

/// Why a value was not taken, as the rest of a sentence that the value, or its setting, begins.
package struct Refusal: Error, Hashable {
    package var text: String

    package init(_ text: String) {
        self.text = text
    }
}
