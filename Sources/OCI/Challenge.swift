/// One challenge of a `WWW-Authenticate` header: a scheme and its parameters.
///
/// The grammar is RFC 9110, 11.6.1. Registries stretch it: values are unquoted (`service=gcr.io`, whole URLs even), and
/// several challenges share a line. Reading is lenient, since a challenge that cannot be read is an image that cannot be
/// pulled; what a challenge may make us do is decided elsewhere.
package struct Challenge: Hashable, Sendable {
    /// In lower case: `bearer`, `basic`.
    package var scheme: String
    /// By lower-case name; of two with the same name, the first.
    package var parameters: [String: String]

    package init(scheme: String, parameters: [String: String] = [:]) {
        self.scheme = scheme
        self.parameters = parameters
    }

    /// The parameter of that name, when it has a value.
    package subscript(name: String) -> String? {
        guard let value = parameters[name], !value.isEmpty else { return nil }
        return value
    }

    /// All challenges of a response: of each of its `WWW-Authenticate` fields, in order.
    package static func parse(_ values: [String]) -> [Challenge] {
        values.flatMap { value in
            var parser = ChallengeParser(value)
            return parser.challenges()
        }
    }
}

/// Reads the challenges of one field value.
private struct ChallengeParser {
    private let bytes: [UInt8]
    private var position = 0

    init(_ value: String) {
        bytes = Array(value.utf8)
    }

    mutating func challenges() -> [Challenge] {
        var challenges: [Challenge] = []
        while skipSeparators() {
            let start = position
            if !challenges.isEmpty, let (name, value) = parameter() {
                let last = challenges.count - 1
                if challenges[last].parameters[name] == nil { challenges[last].parameters[name] = value }
            } else if let scheme = token() {
                challenges.append(Challenge(scheme: scheme.lowercased()))
                skipToken68()
            }
            // Neither: skip what nobody can read, one byte at a time.
            if position == start { position += 1 }
        }
        return challenges
    }

    /// Moves to the next thing that is not a comma or a space; `false` at the end.
    private mutating func skipSeparators() -> Bool {
        while let byte = current, byte == comma || byte.isSpace { position += 1 }
        return current != nil
    }

    /// `name = value`, or `nil` with the position as it was.
    private mutating func parameter() -> (name: String, value: String)? {
        let start = position
        guard let name = token() else { return nil }
        skipSpaces()
        guard current == equals else {
            position = start
            return nil
        }
        position += 1
        skipSpaces()
        return (name.lowercased(), current == quote ? quotedString() : unquotedValue())
    }

    private mutating func token() -> String? {
        text(while: { $0.isTokenCharacter })
    }

    /// Everything up to a comma or a space: more than the grammar allows, and what is meant.
    private mutating func unquotedValue() -> String {
        text(while: { $0 != comma && !$0.isSpace }) ?? ""
    }

    private mutating func quotedString() -> String {
        position += 1
        var value: [UInt8] = []
        while let byte = current, byte != quote {
            position += 1
            if byte == backslash, let escaped = current {
                value.append(escaped)
                position += 1
            } else {
                value.append(byte)
            }
        }
        position = min(position + 1, bytes.count)
        return String(decoding: value, as: UTF8.self)
    }

    /// The one unnamed value that a scheme may have instead of parameters (`Negotiate YII=`): nothing we use.
    private mutating func skipToken68() {
        let start = position
        skipSpaces()
        if position > start, text(while: { $0.isToken68Character }) != nil {
            while current == equals { position += 1 }
            skipSpaces()
            if current == nil || current == comma { return }
        }
        // It was the name of a parameter.
        position = start
    }

    private mutating func text(while isPart: (UInt8) -> Bool) -> String? {
        let start = position
        while let byte = current, isPart(byte) { position += 1 }
        return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    private mutating func skipSpaces() {
        while let byte = current, byte.isSpace { position += 1 }
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }
}

private let comma = UInt8(ascii: ",")
private let equals = UInt8(ascii: "=")
private let quote = UInt8(ascii: "\"")
private let backslash = UInt8(ascii: "\\")

extension UInt8 {
    fileprivate var isSpace: Bool { self == 0x20 || self == 0x09 }

    /// RFC 9110's `tchar`.
    fileprivate var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }

    fileprivate var isToken68Character: Bool {
        isTokenCharacter || self == UInt8(ascii: "/") || self == UInt8(ascii: ":")
    }
}
