import Yams

/// A settings file as a tree of nodes that know their lines.
struct YAMLDocument {
    /// `nil` for a file without content.
    let root: Node?

    /// Parses; the problem is the first place where the text is not YAML.
    ///
    /// Yams refuses a mapping with a repeated key as a whole, which would hide everything else that is wrong. The first
    /// of the two is therefore renamed, and the text parsed again; ``repeatedKey(in:)`` tells such a key to the reader.
    init(text: String, file: String) throws(SettingsError) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while true {
            do {
                root = try compose(yaml: lines.joined(separator: "\n"))
                return
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                guard let key = keys.first, Self.rename(key, at: context.mark, in: &lines) else {
                    let message = "a key is given more than once: \(keys.joined(separator: ", "))"
                    throw Self.problem(message, line: context.mark.line, in: file)
                }
            } catch let error as YamlError {
                throw Self.problem("this is not valid YAML: \(error.reason)", line: error.line, in: file)
            } catch {
                throw Self.problem("this is not valid YAML", line: nil, in: file)
            }
        }
    }

    private static let repetitionMark = "repeated key "

    /// The key that this one repeats, if it was renamed for that.
    static func repeatedKey(in key: String) -> String? {
        key.hasPrefix(repetitionMark) ? String(key.drop { $0 != ":" }.dropFirst()) : nil
    }

    /// Renames the key at a position.
    ///
    /// Fails when the key is not written there as it reads (escapes, anchors).
    private static func rename(_ key: String, at mark: Mark, in lines: inout [String]) -> Bool {
        guard lines.indices.contains(mark.line - 1) else { return false }
        let line = lines[mark.line - 1].unicodeScalars
        let before = String(String.UnicodeScalarView(line.prefix(mark.column - 1)))
        let rest = String(String.UnicodeScalarView(line.dropFirst(mark.column - 1)))
        guard let written = [key, "\"\(key)\"", "'\(key)'"].first(where: { rest.hasPrefix($0) }) else { return false }
        let name = "\(repetitionMark)\(mark.line).\(mark.column):\(key)"
        lines[mark.line - 1] = "\(before)\"\(name)\"\(rest.dropFirst(written.count))"
        return true
    }

    private static func problem(_ message: String, line: Int?, in file: String) -> SettingsError {
        SettingsError([Problem(file: file, line: line, path: "", message: message)])
    }
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
