import Yams

/// A YAML file as a tree of nodes that know their lines.
package struct YAMLDocument {
    /// `nil` for a text without content.
    package let root: YAMLNode?

    /// Parses a text of one document; a byte order mark before it is skipped.
    ///
    /// Yams refuses a mapping with a repeated key as a whole, which would hide everything else that is wrong, and which
    /// not every kind of file means to be wrong. The first of the two is therefore renamed, and the text parsed again;
    /// ``YAMLNode/Entry/name`` gives such a key its name back.
    package init(_ text: String) throws(YAMLSyntaxError) {
        var text = text.replacing("\r\n", with: "\n")
        if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
        while true {
            do {
                // The basic resolver leaves every plain scalar a text: what it means is for the reader of the file.
                root = try compose(yaml: text, .basic).map(YAMLNode.init)
                return
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                guard let key = keys.first, Self.rename(key, at: context.mark, in: &text) else {
                    let reason = "a key is given more than once: \(keys.joined(separator: ", "))"
                    throw YAMLSyntaxError(line: context.mark.line, reason: reason)
                }
            } catch let error as YamlError {
                throw YAMLSyntaxError(line: error.line, reason: "this is not valid YAML: \(error.reason)")
            } catch {
                throw YAMLSyntaxError(line: nil, reason: "this is not valid YAML")
            }
        }
    }

    private static let repetitionMark = "repeated key "

    /// The name of a key as the file has it.
    static func originalName(of key: String) -> String {
        key.hasPrefix(repetitionMark) ? String(key.drop { $0 != ":" }.dropFirst()) : key
    }

    /// Renames the key at a position.
    ///
    /// Fails when the key is not written there as it reads (escapes, anchors).
    private static func rename(_ key: String, at mark: Mark, in text: inout String) -> Bool {
        guard !key.contains(where: { $0 == "\"" || $0 == "\\" }), let start = text.index(of: mark) else { return false }
        let rest = text[start...]
        guard let written = [key, "\"\(key)\"", "'\(key)'"].first(where: { rest.hasPrefix($0) }) else { return false }
        let name = "\"\(repetitionMark)\(mark.line).\(mark.column):\(key)\""
        text.replaceSubrange(start..<text.index(start, offsetBy: written.count), with: name)
        return true
    }
}

/// Why a text is no YAML document.
package struct YAMLSyntaxError: Error, Hashable {
    /// From 1; `nil` when it is not known.
    package var line: Int?
    /// Never repeats the text of the file, but for a key.
    package var reason: String

    package init(line: Int?, reason: String) {
        self.line = line
        self.reason = reason
    }
}

extension String {
    /// The place of a mark; libYAML counts columns in Unicode scalars.
    fileprivate func index(of mark: Mark) -> Index? {
        guard mark.line > 0, mark.column > 0 else { return nil }
        var index = startIndex
        for _ in 1..<mark.line {
            guard let end = unicodeScalars[index...].firstIndex(where: \.isLineBreak) else { return nil }
            index = unicodeScalars.index(after: end)
        }
        return unicodeScalars.index(index, offsetBy: mark.column - 1, limitedBy: endIndex)
    }
}

extension Unicode.Scalar {
    /// Whether libYAML begins a new line after it.
    fileprivate var isLineBreak: Bool { ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].contains(self) }
}

extension YamlError {
    /// What libYAML says, which never repeats the text.
    fileprivate var reason: String {
        switch self {
        case .scanner(let context, let problem, _, _), .parser(let context, let problem, _, _),
            .composer(let context, let problem, _, _):
            context.map { "\(problem), \($0.text) (line \($0.mark.line))" } ?? problem
        case .reader(let problem, _, _, _): problem
        default: "it cannot be read"
        }
    }

    fileprivate var line: Int? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        case .reader(_, let offset?, _, let yaml): yaml.prefix(offset).count { $0 == "\n" } + 1
        default: nil
        }
    }
}
