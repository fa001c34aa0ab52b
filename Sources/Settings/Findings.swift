import YAMLReading

/// What the reading of one file has found so far.
final class Findings {
    let file: String
    private let substitution: Substitution
    private(set) var problems: [Problem] = []
    private(set) var warnings: [Problem] = []
    /// Every key that was asked for, as a pattern, whether the file has it or not.
    var knownKeys: Set<String> = []

    init(file: String, environment: [String: String]) {
        self.file = file
        substitution = Substitution(environment: environment)
    }

    func note(_ message: String, line: Int?, path: String) {
        problems.append(Problem(file: file, line: line, path: path, message: message))
    }

    func warn(_ message: String, line: Int?, path: String) {
        warnings.append(Problem(file: file, line: line, path: path, message: message))
    }

    /// Reads a scalar node, its references to the environment replaced.
    ///
    /// An empty text is no value, and a problem only where there must be one. A problem quotes the text as the file has
    /// it, never what a variable holds: that may be a secret.
    func scalar<Value>(
        _ node: YAMLNode,
        _ form: ScalarForm<Value>,
        mayBeEmpty: Bool = true,
        line: Int?,
        path: String
    ) -> Value? {
        guard let written = node.scalar?.text else {
            note("must be a single value, not a list or a mapping", line: line, path: path)
            return nil
        }
        do throws(Refusal) {
            let text = try substitution.expand(written)
            if text.isEmpty {
                guard mayBeEmpty else { throw Refusal("is empty") }
                return nil
            }
            return try form.parse(text)
        } catch {
            note(form.isSecret ? error.text : "\"\(written)\" \(error.text)", line: line, path: path)
            return nil
        }
    }
}
