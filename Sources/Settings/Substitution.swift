/// Replaces references to environment variables in a text, as a shell does.
///
/// | written | means |
/// |---|---|
/// | `${NAME}` | the variable; an error when it is not set |
/// | `${NAME:-text}` | the variable, or `text` when it is not set or empty |
/// | `${NAME:?message}` | the variable, or an error with `message` when it is not set or empty |
/// | `$$` | a dollar sign |
///
/// Defaults and messages may hold references too. A dollar sign before anything else stands for itself.
struct Substitution {
    let environment: [String: String]

    /// Returns the text with every reference replaced; what comes from the environment is not read again.
    func expand(_ text: String) throws(Refusal) -> String {
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            switch rest.first {
            case "$":
                result.append("$")
                rest.removeFirst()
            case "{":
                let end = try closingBrace(of: rest)
                result += try value(of: rest[rest.index(after: rest.startIndex)..<end])
                rest = rest[rest.index(after: end)...]
            default:
                result.append("$")
            }
        }
        return result + rest
    }

    /// The brace that closes the one at the start of `text`.
    private func closingBrace(of text: Substring) throws(Refusal) -> Substring.Index {
        var depth = 0
        var previous: Character = " "
        for index in text.indices {
            let character = text[index]
            if character == "{", previous == "$" || depth == 0 { depth += 1 }
            if character == "}" { depth -= 1 }
            if depth == 0 { return index }
            previous = character
        }
        throw Refusal("has a ${ without its }; write $$ for a dollar sign")
    }

    /// The value of what stands between the braces.
    private func value(of reference: Substring) throws(Refusal) -> String {
        let name = reference.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        let operation = reference.dropFirst(name.count)
        guard let first = name.first, !first.isNumber else {
            throw Refusal("has a ${…} that does not name a variable; write $$ for a dollar sign")
        }
        let value = environment[String(name)]
        if operation.isEmpty {
            guard let value else {
                throw Refusal(
                    "needs the environment variable \(name), which is not set; set it, or write ${\(name):-default}"
                )
            }
            return value
        }
        let argument = String(operation.dropFirst(2))
        switch operation.prefix(2) {
        case ":-":
            if let value, !value.isEmpty { return value }
            return try expand(argument)
        case ":?":
            if let value, !value.isEmpty { return value }
            let message = try expand(argument)
            throw Refusal("needs the environment variable \(name): \(message.isEmpty ? "it is not set" : message)")
        default:
            throw Refusal("has ${\(name)…} with an unknown operator; :- and :? are known")
        }
    }
}
