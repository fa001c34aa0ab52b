/// What a client asks for within a repository.
package enum Reference: Hashable, Sendable {
    /// A name that may move.
    case tag(Tag)
    /// Content that may not.
    case digest(Digest)

    /// Reads the `<reference>` part of `/v2/<name>/manifests/<reference>`.
    package init(_ text: Substring) throws(ReferenceError) {
        self = text.utf8.contains(UInt8(ascii: ":")) ? .digest(try Digest(text)) : .tag(try Tag(text))
    }

    package init(_ text: String) throws(ReferenceError) {
        try self.init(text[...])
    }
}

extension Reference: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tag(let tag): tag.text
        case .digest(let digest): digest.description
        }
    }
}

/// A tag: 1 to 128 bytes of `[A-Za-z0-9_][A-Za-z0-9._-]*`.
package struct Tag: Hashable, Sendable {
    package let text: String

    package init(_ text: some StringProtocol) throws(ReferenceError) {
        guard (1...128).contains(text.utf8.count) else { throw .tag(String(text)) }
        for (index, byte) in text.utf8.enumerated() {
            guard byte.isWord || (index > 0 && (byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-"))) else {
                throw .tag(String(text))
            }
        }
        self.text = String(text)
    }

    /// The tag under which clients look for referrers where the API is missing: `sha256-<hex>`.
    ///
    /// The distribution specification's "Referrers Tag Schema": the algorithm cut to 32 bytes, the hash to 64.
    package init(referrersOf digest: Digest) {
        text = "\(digest.algorithm.rawValue)-\(digest.hex.prefix(64))"
    }
}

extension Tag: CustomStringConvertible {
    package var description: String { text }
}

/// Why a piece of a reference could not be read.
///
/// Carries the text, for the log.
package enum ReferenceError: Error, Hashable {
    case digest(String)
    case tag(String)
    case repository(String)
}

extension UInt8 {
    fileprivate var isWord: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
