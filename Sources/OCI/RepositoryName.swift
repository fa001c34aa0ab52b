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
        var separator: [UInt8] = [UInt8(ascii: "/")]
        for byte in bytes {
            if byte.isLowerAlphanumeric {
                guard isSeparator(separator) else { return false }
                separator = []
            } else {
                separator.append(byte)
            }
        }
        return separator.isEmpty
    }

    /// Whether `bytes` may stand between two runs of letters and digits.
    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        switch bytes {
        case [], [UInt8(ascii: ".")], [UInt8(ascii: "_")], [UInt8(ascii: "_"), UInt8(ascii: "_")],
            [UInt8(ascii: "/")]:
            true
        default: bytes.allSatisfy { $0 == UInt8(ascii: "-") }
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
