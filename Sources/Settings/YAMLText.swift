/// A YAML document in the making: block style, two spaces a level.
struct YAMLText {
    private(set) var text = ""
    private var indentation = ""
    /// What stands before the next line instead of the indentation: the dash of a list's element.
    private var lead: String?

    /// Writes a value; nothing after the key when there is none.
    mutating func line(_ key: String, _ value: (some CustomStringConvertible)?) {
        write("\(Self.scalar(key)):" + (value.map { " \(Self.scalar($0.description))" } ?? ""))
    }

    mutating func line(_ key: String, _ value: Duration) {
        line(key, value.settingsText)
    }

    mutating func section(_ key: String, _ body: (inout YAMLText) -> Void) {
        write("\(Self.scalar(key)):")
        let outer = indentation
        indentation += "  "
        body(&self)
        indentation = outer
    }

    /// Writes a list of scalars on one line.
    mutating func list(_ key: String, _ values: [String]) {
        write("\(Self.scalar(key)): [" + values.map(Self.scalar).joined(separator: ", ") + "]")
    }

    /// Writes a list of mappings.
    mutating func list<Element>(_ key: String, _ elements: [Element], _ body: (Element, inout YAMLText) -> Void) {
        guard !elements.isEmpty else { return list(key, []) }
        section(key) { yaml in
            for element in elements {
                yaml.lead = yaml.indentation + "- "
                let outer = yaml.indentation
                yaml.indentation += "  "
                body(element, &yaml)
                yaml.indentation = outer
            }
        }
    }

    private mutating func write(_ line: String) {
        text += (lead ?? indentation) + line + "\n"
        lead = nil
    }

    /// A scalar, quoted unless it is plain beyond doubt; dollar signs doubled, as references are read from them.
    private static func scalar(_ value: String) -> String {
        let isPlain = value.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._/%-".contains($0)) }
        if isPlain, let first = value.first, first.isLetter || first.isNumber || first == "/", value != "null" {
            return value
        }
        var quoted = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "$": quoted += "$$"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return "\"\(quoted)\""
    }
}
