/// Replaces ocync's references to environment variables in the text of a file, before it is read as YAML.
///
/// | written | means |
/// |---|---|
/// | `${NAME}` | the variable; nothing when it is not set |
/// | `${NAME:-text}` | the variable, or `text` when it is not set or empty |
/// | `${NAME:?message}` | the variable, or an error with `message` when it is not set or empty |
///
/// A reference ends at the first `}`, whatever stands before it; without one the text stays as it is. There is no
/// escape, no nesting, no second pass over values, and comments and quotes mean nothing. Names are not checked.
struct EnvironmentExpansion {
    let environment: [String: String]
    /// Whether variables with the name of a secret are refused, as `ocync expand` does.
    var refusesSecrets = false

    /// Replaces every reference, also after one has failed.
    func expand(_ text: String) -> ExpandedText {
        var result = ExpandedText()
        var rest = text.unicodeScalars[...]
        while let opening = rest.firstRange(of: "${".unicodeScalars) {
            let inside = rest[opening.upperBound...]
            guard let closing = inside.firstIndex(of: "}") else { break }
            result.append(source: rest[..<opening.lowerBound])
            let expression = inside[..<closing]
            result.append(value: value(of: expression, in: &result))
            result.skip(source: expression)
            rest = inside[inside.index(after: closing)...]
        }
        result.append(source: rest)
        return result
    }

    private func value(of expression: Substring.UnicodeScalarView, in result: inout ExpandedText) -> String {
        let (name, fallback) = Self.parts(of: expression)
        if refusesSecrets, Self.isSecret(name) {
            result.failures.append(.init(line: result.sourceLine, cause: .secret(name)))
            return ""
        }
        if let value = environment[name], !value.isEmpty {
            result.values.append(.init(name: name, text: value))
            return value
        }
        switch fallback {
        case .nothing:
            if environment[name] == nil, !result.isInComment {
                result.unset.append(.init(line: result.sourceLine, name: name))
            }
            return ""
        case .text(let text): return text
        case .failure(let message):
            result.failures.append(.init(line: result.sourceLine, cause: .required(name: name, message: message)))
            return ""
        }
    }

    /// What stands in for a variable that is not set, or (but for `nothing`) empty.
    private enum Fallback {
        case nothing
        case text(String)
        case failure(message: String)
    }

    /// Takes an expression apart: `:-` is looked for first, wherever it stands.
    private static func parts(of expression: Substring.UnicodeScalarView) -> (name: String, fallback: Fallback) {
        if let mark = expression.firstRange(of: ":-".unicodeScalars) {
            return (String(expression[..<mark.lowerBound]), .text(String(expression[mark.upperBound...])))
        }
        if let mark = expression.firstRange(of: ":?".unicodeScalars) {
            return (String(expression[..<mark.lowerBound]), .failure(message: String(expression[mark.upperBound...])))
        }
        return (String(expression), .nothing)
    }

    /// Whether a variable's name says that it holds a secret.
    static func isSecret(_ name: String) -> Bool {
        let name = name.uppercased()
        return ["SECRET", "PASSWORD", "TOKEN", "PRIVATE_KEY", "CREDENTIAL", "API_KEY"].contains { name.contains($0) }
    }
}

/// A text whose references to the environment are replaced, and what there is to know about that.
struct ExpandedText {
    private(set) var text = ""
    var failures: [Failure] = []
    /// References outside of comments to variables that are not set, and have no default.
    var unset: [Unset] = []
    /// What came from the environment.
    var values: [Value] = []
    /// The line of the file that is being read.
    private(set) var sourceLine = 1
    /// For each line of the text the line of the file where it begins.
    private var lines = [1]
    private var lineStart = ""

    struct Failure: Hashable {
        var line: Int
        var cause: Cause

        enum Cause: Hashable {
            case required(name: String, message: String)
            case secret(String)
        }
    }

    struct Unset: Hashable {
        var line: Int
        var name: String
    }

    struct Value: Hashable {
        var name: String
        var text: String
    }

    /// The line of the file that a line of the text comes from; both from 1.
    ///
    /// They differ once a value, or a reference, goes over several lines.
    func sourceLine(of line: Int) -> Int {
        lines.indices.contains(line - 1) ? lines[line - 1] : sourceLine
    }

    /// Whether the line so far begins with `#`.
    fileprivate var isInComment: Bool { lineStart.drop { $0 == " " }.first == "#" }

    fileprivate mutating func append(source: Substring.UnicodeScalarView) {
        for scalar in source {
            text.unicodeScalars.append(scalar)
            lineStart.unicodeScalars.append(scalar)
            guard scalar == "\n" else { continue }
            sourceLine += 1
            lines.append(sourceLine)
            lineStart = ""
        }
    }

    fileprivate mutating func append(value: String) {
        text += value
        lines += value.unicodeScalars.filter { $0 == "\n" }.map { _ in sourceLine }
    }

    fileprivate mutating func skip(source: Substring.UnicodeScalarView) {
        sourceLine += source.count { $0 == "\n" }
    }
}

extension ExpandedText.Failure: CustomStringConvertible {
    /// The sentence that ocync prints, and what to do.
    var description: String {
        switch cause {
        case .required(let name, let message):
            "required environment variable not set: \(message.isEmpty ? name : message); set \(name)"
        case .secret(let name): "blocked secret-pattern environment variable: \(name)"
        }
    }
}

extension ExpandedText.Unset: CustomStringConvertible {
    var description: String {
        if !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) {
            return "the environment variable \(name) is not set; nothing is put in its place"
        }
        return "${\(name)} is replaced by nothing; ocync knows ${NAME}, ${NAME:-default} and ${NAME:?message} only"
    }
}
