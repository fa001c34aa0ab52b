import YAMLReading

/// A mapping with known keys, read key by key with ocync's types.
///
/// A key that nobody asks for is only warned about, as ocync ignores it. Problems are noted, and reading goes on.
final class Fields {
    let path: String
    /// The line of the key that this is the value of, or of the element.
    let line: Int?
    let findings: Findings
    private var entries: [String: YAMLNode.Entry] = [:]
    private var order: [String] = []
    private var repetitions: [(name: String, line: Int?)] = []
    private var known: Set<String> = []

    init(_ mapping: [YAMLNode.Entry], path: String, line: Int?, findings: Findings) {
        self.path = path
        self.line = line
        self.findings = findings
        for entry in mapping {
            guard let name = entry.name else {
                findings.note("a key must be a text, not a list or a mapping", line: entry.line, path: path)
                continue
            }
            if entries.updateValue(entry, forKey: name) == nil {
                order.append(name)
            } else {
                repetitions.append((name, entry.line))
            }
        }
    }

    /// A node that must be a mapping with known keys; nothing at all is an empty one.
    convenience init?(_ node: YAMLNode, path: String, line: Int?, findings: Findings) {
        guard let mapping = node.mapping ?? (node.scalar?.isVoid == true ? [] : nil) else {
            findings.note("must be a mapping of keys to values, not \(node.kind)", line: line, path: path)
            return nil
        }
        self.init(mapping, path: path, line: line, findings: findings)
    }

    /// Whether there is a value that is not null.
    func has(_ key: String) -> Bool { given(key) != nil }

    /// The line of a key, or of the whole when the key is not there.
    func line(of key: String) -> Int? { entries[key]?.line ?? line }

    func child(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Notes a problem with a key.
    func note(_ key: String, _ message: String) {
        findings.note(message, line: line(of: key), path: child(key))
    }

    func warn(_ key: String, _ message: String) {
        findings.warn(message, line: line(of: key), path: child(key))
    }

    // MARK: Values

    /// A text that may be left out; any scalar is the text that was written.
    func text(_ key: String) -> String? { given(key).flatMap { text($0.value, key) } }

    /// A text that must be there; even `~` is one.
    func requiredText(_ key: String) -> String? {
        guard let entry = entry(key) else {
            note(key, "is missing")
            return nil
        }
        return text(entry.value, key)
    }

    /// A flag that may be left out but not be null.
    func flag(_ key: String, default value: Bool) -> Bool {
        guard let entry = entry(key) else { return value }
        if let flag = entry.value.scalar?.flag { return flag }
        note(key, "must be true or false, without quotes, not \(entry.value.kind)")
        return value
    }

    /// A whole number that may be left out, and be null unless `isOptional` says otherwise.
    func count(_ key: String, isOptional: Bool = true) -> Int? {
        guard let entry = isOptional ? given(key) : entry(key) else { return nil }
        if let count = entry.value.scalar?.count { return count }
        note(key, "must be a whole number, without quotes, not \(entry.value.kind)")
        return nil
    }

    /// One of a few names, or of further names that mean the same.
    func choice<Value>(_ key: String, also synonyms: [String: Value] = [:]) -> Value?
    where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
        guard let entry = given(key), let name = entry.value.scalar?.variant ?? text(entry.value, key) else {
            return nil
        }
        if let value = Value(rawValue: name) ?? synonyms[name] { return value }
        let names = Value.allCases.map(\.rawValue)
        let hint = name.nearest(among: names).map { "; did you mean \($0)?" } ?? ""
        note(key, "\"\(name)\" is not one of \(names.joined(separator: ", "))\(hint)")
        return nil
    }

    /// A list of texts, `nil` when it is left out.
    ///
    /// Nothing at all is an empty list unless it `isOptional`.
    func texts(_ key: String, isOptional: Bool) -> [String]? {
        guard let entry = isOptional ? given(key) : entry(key) else { return nil }
        return texts(entry, key)
    }

    /// A text or a list of texts, none of which may look like a number, a flag or null.
    func patterns(_ key: String) -> Patterns? {
        guard let entry = given(key) else { return nil }
        if let list = entry.value.sequence {
            return .list(list.compactMap { pattern($0, key) })
        }
        return pattern(entry.value, key).map(Patterns.one)
    }

    // MARK: Structures

    /// A mapping with known keys that may be left out; the caller finishes it.
    func fields(_ key: String) -> Fields? {
        given(key).flatMap { Fields($0.value, path: child(key), line: $0.line, findings: findings) }
    }

    /// A mapping whose keys are names, in their order; of one that is repeated the last counts, and all must be readable.
    ///
    /// It may not be null.
    func names(_ key: String) -> [(name: String, entry: YAMLNode.Entry, isLast: Bool)] {
        guard let entry = entry(key) else { return [] }
        guard Fields(entry.value, path: child(key), line: entry.line, findings: findings) != nil else { return [] }
        let names = (entry.value.mapping ?? []).compactMap { entry in entry.name.map { (name: $0, entry: entry) } }
        return names.enumerated()
            .map { place, named in
                (named.name, named.entry, !names[(place + 1)...].contains { $0.name == named.name })
            }
    }

    /// The elements of a list that must be there; nothing at all is an empty one.
    func elements(_ key: String) -> [YAMLNode] {
        guard let entry = entry(key) else {
            findings.note("the key \"\(key)\" is missing", line: line, path: path)
            return []
        }
        return elements(entry, key) ?? []
    }

    /// A list of texts at an entry of a mapping of names.
    func texts(_ entry: YAMLNode.Entry, _ key: String) -> [String]? {
        elements(entry, key)?.compactMap { text($0, key) }
    }

    /// Warns about keys that nobody asked for, and notes repetitions of the others.
    func finish() {
        for (name, line) in repetitions where known.contains(name) {
            findings.note("is given more than once", line: line, path: child(name))
        }
        for name in order where !known.contains(name) && !name.hasPrefix("x-") {
            findings.warn(warning(about: name), line: line(of: name), path: path)
        }
    }

    private func warning(about name: String) -> String {
        if name == "<<" { return "ocync does not apply merge keys: << is ignored; write the keys out" }
        let hint = name.nearest(among: known.sorted()).map { "; did you mean \"\($0)\"?" } ?? ""
        return "unknown key \"\(name)\" is ignored\(hint)"
    }

    /// Declares a key, and returns its entry.
    private func entry(_ key: String) -> YAMLNode.Entry? {
        known.insert(key)
        return entries[key]
    }

    /// Declares a key, and returns its entry unless it is null.
    private func given(_ key: String) -> YAMLNode.Entry? {
        entry(key).flatMap { $0.value.scalar?.isNull == true ? nil : $0 }
    }

    private func text(_ node: YAMLNode, _ key: String) -> String? {
        if let scalar = node.scalar { return scalar.text }
        findings.note("must be a text, not \(node.kind)", line: node.line, path: child(key))
        return nil
    }

    private func pattern(_ node: YAMLNode, _ key: String) -> String? {
        guard let scalar = node.scalar else {
            findings.note("must be a text or a list of texts, not \(node.kind)", line: node.line, path: child(key))
            return nil
        }
        if scalar.isText { return scalar.text }
        let reason = "\(scalar.text) is no text for YAML; quote it: \"\(scalar.text)\""
        findings.note(reason, line: node.line, path: child(key))
        return nil
    }

    private func elements(_ entry: YAMLNode.Entry, _ key: String) -> [YAMLNode]? {
        if let list = entry.value.sequence { return list }
        if entry.value.scalar?.isVoid == true { return [] }
        findings.note("must be a list, not \(entry.value.kind)", line: entry.line, path: child(key))
        return nil
    }
}

/// One text, or a list of texts; for `targets` they mean different things.
enum Patterns: Hashable, Sendable {
    case one(String)
    case list([String])

    var all: [String] {
        switch self {
        case .one(let text): [text]
        case .list(let texts): texts
        }
    }
}

extension YAMLNode {
    /// What this is, for problems; never a value, which may be a secret.
    fileprivate var kind: String {
        guard let scalar else { return mapping == nil ? "a list" : "a mapping" }
        if scalar.isNull { return "nothing (null)" }
        guard scalar.isPlain else { return "a quoted text" }
        return switch PlainType(scalar.text) {
        case .null: "nothing (null)"
        case .flag: "a flag"
        case .number: "a number of another kind"
        case .text: "a text"
        }
    }
}
