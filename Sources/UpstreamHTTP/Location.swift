/// Scheme, host and port: what credentials are for.
struct Origin: Hashable, Sendable {
    var isSecure: Bool
    /// In lower case; an IPv6 address without its brackets.
    var host: String
    var port: Int

    var text: String {
        let host = host.contains(":") ? "[\(host)]" : host
        let hasDefaultPort = port == (isSecure ? 443 : 80)
        return (isSecure ? "https://" : "http://") + host + (hasDefaultPort ? "" : ":\(port)")
    }
}

/// An absolute `http` or `https` URL, taken apart without changing a byte of its path and query.
///
/// Signed URLs are signed as they are written: `//` in a path, `%2B` in a query and upper or lower case of escapes must
/// go out as they came, which general URL types do not promise. RFC 3986 as far as registries need it.
struct Location: Hashable, Sendable {
    var origin: Origin
    /// Path and query; begins with a slash.
    var target: String

    init(origin: Origin, target: String) {
        self.origin = origin
        self.target = target
    }

    /// Fails for other schemes, user names, and hosts or targets with characters that do not belong there.
    init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
        let isSecure: Bool
        if text.hasPrefixIgnoringCase("https://") {
            isSecure = true
        } else if text.hasPrefixIgnoringCase("http://") {
            isSecure = false
        } else {
            return nil
        }
        let rest = text.dropFirst(isSecure ? 8 : 7)
        let authority = rest.prefix { !"/?#".contains($0) }
        guard let origin = Self.origin(authority, isSecure: isSecure) else { return nil }
        self.origin = origin
        // A fragment is not sent.
        let target = rest.dropFirst(authority.count).prefix { $0 != "#" }
        self.target = target.hasPrefix("/") ? String(target) : "/\(target)"
    }

    var text: String { origin.text + target }

    /// The path, without the query.
    var path: Substring { target.prefix { $0 != "?" } }

    /// What may be shown: the query of a signed URL is as good as a password.
    var shown: String { origin.text + path }

    /// Where a reference in an answer from here points: absolute, or relative in any of its forms.
    func resolving(_ reference: String) -> Location? {
        if reference.hasPrefix("//") { return Location((origin.isSecure ? "https:" : "http:") + reference) }
        if reference.hasPrefix("/") { return Location(origin.text + reference) }
        if reference.hasPrefix("?") { return Location(origin.text + path + reference) }
        let scheme = reference.prefix { !"/?#".contains($0) }
        guard !reference.isEmpty, !scheme.contains(":") else { return Location(reference) }
        return Location(origin.text + merged(reference))
    }

    /// A relative path in the place of our last segment, its leading dot segments taken.
    private func merged(_ reference: String) -> String {
        var folders = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        var rest = Substring(reference)
        while true {
            if rest.hasPrefix("./") {
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("../") {
                rest = rest.dropFirst(3)
                if folders.count > 1 { folders.removeLast() }
            } else {
                return folders.joined(separator: "/") + "/" + rest
            }
        }
    }

    private static func origin(_ authority: Substring, isSecure: Bool) -> Origin? {
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            rest = authority[authority.index(after: end)...]
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        } else {
            host = authority.prefix { $0 != ":" }
            rest = authority.dropFirst(host.count)
            guard !host.isEmpty, host.utf8.allSatisfy(\.isOfHostName) else { return nil }
        }
        guard let port = port(rest, isSecure: isSecure) else { return nil }
        return Origin(isSecure: isSecure, host: host.lowercased(), port: port)
    }

    /// The port in `:443`, or the scheme's own.
    private static func port(_ text: Substring, isSecure: Bool) -> Int? {
        if text.isEmpty || text == ":" { return isSecure ? 443 : 80 }
        let digits = text.dropFirst()
        guard text.hasPrefix(":"), digits.utf8.allSatisfy(\.isDigit), let port = Int(digits), (1...65535).contains(port)
        else { return nil }
        return port
    }
}

extension String {
    func hasPrefixIgnoringCase(_ prefix: String) -> Bool {
        self.prefix(prefix.count).lowercased() == prefix
    }

    /// Percent-encoded for a query value or a form, but for what may stand in both and reads better bare.
    var queryEncoded: String {
        var encoded = ""
        for byte in utf8 {
            if byte.isUnreserved || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ",")
            {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                encoded += hex.count == 1 ? "%0\(hex)" : "%\(hex)"
            }
        }
        return encoded
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    fileprivate var isOfHostName: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: isDigit
        }
    }

    fileprivate var isUnreserved: Bool { isOfHostName || self == UInt8(ascii: "~") }
}
