/// The name of a repository within its registry: `library/nginx`.
///
/// The grammar is the distribution specification's `<name>`, at most 255 bytes:
/// components of `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by `/`.
package struct RepositoryName: Hashable, Sendable {
    package let text: String

    /// The longest name that clients and registries agree on.
    package static let maximumLength = 255

    package init(_ text: some StringProtocol) throws(ReferenceError) {
        guard (1...Self.maximumLength).contains(text.utf8.count), Self.matchesGrammar(text.utf8) else {
            throw .repository(String(text.prefix(Self.maximumLength + 1)))
        }
        self.text = String(text)
    }

    private static func matchesGrammar(_ bytes: some Collection<UInt8>) -> Bool {
        // What stands between two runs of letters and digits; a name begins as a component after a slash does.
        var (separator, count) = (UInt8(ascii: "/"), 1)
        for byte in bytes {
            if byte.isLowerAlphanumeric {
                guard isSeparator(separator, count) else { return false }
                count = 0
            } else {
                guard count == 0 || byte == separator else { return false }
                separator = byte
                count += 1
            }
        }
        return count == 0
    }

    /// Whether so many of `byte`, or none, may stand between two runs of letters and digits.
    private static func isSeparator(_ byte: UInt8, _ count: Int) -> Bool {
        switch byte {
        case UInt8(ascii: "/"), UInt8(ascii: "."): count <= 1
        case UInt8(ascii: "_"): count <= 2
        case UInt8(ascii: "-"): true
        default: count == 0
        }
    }
}

extension RepositoryName: CustomStringConvertible {
    package var description: String { text }
}

extension UInt8 {
    fileprivate var isLowerAlphanumeric: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}
