import YAMLReading

/// What the reading of one ocync file has found so far.
final class Findings {
    let file: String
    private let text: ExpandedText
    /// The repository of the mapping that is being looked at, which its problems name.
    var mapping: String?
    private(set) var problems: [Problem] = []
    private(set) var warnings: [Problem] = []

    init(file: String, text: ExpandedText) {
        self.file = file
        self.text = text
    }

    /// Notes a problem; `line` is one of the expanded text.
    func note(_ message: String, line: Int?, path: String) {
        problems.append(problem(message, line: line, path: path))
    }

    /// Notes something that is no problem; `line` is one of the expanded text.
    func warn(_ message: String, line: Int?, path: String) {
        warnings.append(problem(message, line: line, path: path))
    }

    /// Notes a problem with a reference to the environment; `line` is one of the file.
    func note(_ failure: ExpandedText.Failure) {
        problems.append(Problem(file: file, line: failure.line, path: "", message: failure.description))
    }

    /// Notes a reference that is replaced by nothing; `line` is one of the file.
    func warn(_ unset: ExpandedText.Unset) {
        warnings.append(Problem(file: file, line: unset.line, path: "", message: unset.description))
    }

    /// The line of the file that a line of the expanded text comes from.
    func sourceLine(of line: Int?) -> Int? { line.map(text.sourceLine) }

    private func problem(_ message: String, line: Int?, path: String) -> Problem {
        let message = (mapping.map { "mapping '\($0)': " } ?? "") + message
        return Problem(file: file, line: sourceLine(of: line), path: redacted(path), message: redacted(message))
    }

    /// The text as the file has it: `${NAME}` for what a variable holds, which may be a secret.
    ///
    /// YAML takes spaces and line breaks off the ends of a value. Short values that are no secret by their name stay:
    /// they stand in texts by chance.
    private func redacted(_ message: String) -> String {
        var message = message
        for value in text.values {
            let written = value.text[...].trimmed
            guard written.count > (EnvironmentExpansion.isSecret(value.name) ? 0 : 3) else { continue }
            message = message.replacing(written, with: "${\(value.name)}")
        }
        return message
    }
}

extension Substring {
    /// Without spaces around it.
    var trimmed: Substring {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
