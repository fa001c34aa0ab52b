import YAMLReading

/// A mapping of the settings file, read key by key.
///
/// Each `read` also declares its key, so that ``finish()`` knows which of the keys in the file nobody has asked for. A
/// problem is noted and the value left as it was: reading always goes on, so that all problems are found.
final class Section {
    /// The names on the way here: `upstreams.docker.io`.
    let path: String
    /// The same with `*` for names that the operator chose: `upstreams.*`.
    let pattern: String
    /// The line of the key that this is the value of.
    let line: Int?
    let findings: Findings
    private var entries: [String: Entry] = [:]
    private var declared: [String] = []

    struct Entry {
        /// Its place among the keys of the mapping.
        var position: Int
        var line: Int?
        var value: YAMLNode
    }

    init(_ mapping: [YAMLNode.Entry], path: String, pattern: String, line: Int?, findings: Findings) {
        self.path = path
        self.pattern = pattern
        self.line = line
        self.findings = findings
        for (position, entry) in mapping.enumerated() {
            guard let name = entry.name else {
                findings.note("a key must be a plain text", line: entry.line, path: path)
                continue
            }
            if let first = entries[name] {
                let place = first.line.map { "; the first is in line \($0)" } ?? ""
                findings.note("is given more than once\(place)", line: entry.line, path: child(name))
            }
            entries[name] = Entry(position: position, line: entry.line, value: entry.value)
        }
    }

    /// Reads a value; an absent or empty one leaves the default.
    func read<Value: Equatable>(_ key: String, _ form: ScalarForm<Value>, into value: inout Value) {
        guard let parsed = scalar(key, form) else { return }
        if parsed != value { warnIfPlanned(key) }
        value = parsed
    }

    /// Reads a value that has no default.
    func read<Value: Equatable>(_ key: String, _ form: ScalarForm<Value>, into value: inout Value?) {
        guard let parsed = scalar(key, form) else { return }
        warnIfPlanned(key)
        value = parsed
    }

    /// Reads a list of values, none of them empty.
    func readList<Value>(_ key: String, _ form: ScalarForm<Value>, into list: inout [Value]) {
        var values: [Value] = []
        let isGiven = forEachItem(of: key) { item in
            if let value = item.read(form) { values.append(value) }
        }
        if isGiven { list = values }
    }

    /// Calls `body` with each element of a list; returns whether there is a list.
    @discardableResult
    func forEachItem(of key: String, _ body: (Item) -> Void) -> Bool {
        guard let entry = entry(key) else { return false }
        guard let sequence = entry.value.sequence else {
            note(key, "must be a list, such as [a, b]")
            return false
        }
        if !sequence.isEmpty { warnIfPlanned(key) }
        for (index, node) in sequence.enumerated() {
            let path = "\(child(key))[\(index)]"
            body(Item(node: node, path: path, pattern: "\(childPattern(key))[]", findings: findings))
        }
        return true
    }

    /// Reads a mapping with known keys.
    func readSection(_ key: String, _ body: (Section) -> Void) {
        guard let entry = entry(key) else { return }
        guard let mapping = entry.value.mapping else {
            return note(key, "must be a mapping of keys to values")
        }
        read(mapping, line: entry.line, path: child(key), pattern: childPattern(key), body)
    }

    /// Reads a mapping whose keys the operator chooses; an empty value counts as an empty mapping.
    func readSections(_ key: String, _ body: (String, Section) -> Void) {
        guard let entry = entry(key) else { return }
        guard let mapping = entry.value.mapping else {
            return note(key, "must be a mapping of keys to values")
        }
        let pattern = childPattern(key)
        let names = Section(mapping, path: child(key), pattern: pattern, line: entry.line, findings: findings)
        for (name, entry) in names.inOrder {
            guard let mapping = entry.value.isEmpty ? [] : entry.value.mapping else {
                names.note(name, "must be a mapping of keys to values")
                continue
            }
            read(mapping, line: entry.line, path: names.child(name), pattern: "\(pattern).*") { body(name, $0) }
        }
    }

    /// Notes keys that nothing asked for.
    func finish() {
        for (name, entry) in inOrder where !declared.contains(name) {
            let hint = name.nearest(among: declared).map { "; did you mean \"\($0)\"?" } ?? ""
            findings.note("unknown key \"\(name)\"\(hint)", line: entry.line, path: path)
        }
        findings.knownKeys.formUnion(declared.map(childPattern))
    }

    /// Notes a problem with a key, at its line.
    func note(_ key: String, _ message: String) {
        findings.note(message, line: line(of: key), path: child(key))
    }

    func warn(_ key: String, _ message: String) {
        findings.warn(message, line: line(of: key), path: child(key))
    }

    /// Whether the file has a key, with a value.
    func has(_ key: String) -> Bool { entries[key].map { !$0.value.isEmpty } ?? false }

    /// The line of a key, or of the section when the key is not there.
    func line(of key: String) -> Int? { entries[key]?.line ?? line }

    private var inOrder: [(key: String, value: Entry)] { entries.sorted { $0.value.position < $1.value.position } }

    private func child(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private func childPattern(_ key: String) -> String { pattern.isEmpty ? key : "\(pattern).\(key)" }

    private func scalar<Value>(_ key: String, _ form: ScalarForm<Value>) -> Value? {
        entry(key).flatMap { findings.scalar($0.value, form, line: $0.line, path: child(key)) }
    }

    private func warnIfPlanned(_ key: String) {
        if let warning = PlannedKeys.warning(for: childPattern(key)) { warn(key, warning) }
    }

    /// Declares a key, and returns its entry unless it is absent or empty.
    private func entry(_ key: String) -> Entry? {
        declared.append(key)
        return entries[key].flatMap { $0.value.isEmpty ? nil : $0 }
    }

    private func read(
        _ mapping: [YAMLNode.Entry],
        line: Int?,
        path: String,
        pattern: String,
        _ body: (Section) -> Void
    ) {
        let section = Section(mapping, path: path, pattern: pattern, line: line, findings: findings)
        body(section)
        section.finish()
    }
}

/// An element of a list.
struct Item {
    let node: YAMLNode
    let path: String
    let pattern: String
    let findings: Findings

    var line: Int? { node.line }

    func note(_ message: String) {
        findings.note(message, line: line, path: path)
    }

    /// Reads the element as a value.
    func read<Value>(_ form: ScalarForm<Value>) -> Value? {
        findings.scalar(node, form, mayBeEmpty: false, line: line, path: path)
    }

    /// Reads the element as a mapping; returns whether it is one.
    func readSection(_ body: (Section) -> Void) -> Bool {
        guard let mapping = node.mapping else { return false }
        let section = Section(mapping, path: path, pattern: pattern, line: line, findings: findings)
        body(section)
        section.finish()
        return true
    }
}

extension YAMLNode {
    /// Whether nothing is written here (`key:`, `key: ~`, `key: null`), which means the default.
    fileprivate var isEmpty: Bool {
        guard let scalar, scalar.isPlain else { return false }
        return ["", "~", "null"].contains(scalar.text)
    }
}
