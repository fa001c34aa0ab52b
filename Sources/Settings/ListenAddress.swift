/// Where a server listens: `127.0.0.1:5000`, `[::]:5000`, `localhost:5000`.
package struct ListenAddress: Hashable, Sendable {
    /// A host name or an IP address, without brackets.
    package var host: String
    /// 0 lets the system choose.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, an IPv6 address in brackets.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(digits: text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[" && host.last == "]" {
            host = host.dropFirst().dropLast()
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        } else {
            guard host.isHostName else { return nil }
        }
        self.init(host: String(host), port: Int(port))
    }
}

extension ListenAddress: CustomStringConvertible {
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension UInt16 {
    /// Reads a number of ASCII digits only: no sign, no space.
    init?(digits: some StringProtocol) {
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        self.init(digits)
    }
}

extension StringProtocol {
    /// Whether this is a DNS name or an IPv4 address: labels of letters, digits and inner hyphens.
    ///
    /// An underscore passes too: names of containers have them.
    var isHostName: Bool {
        guard !isEmpty, utf8.count <= 253 else { return false }
        return split(separator: ".", omittingEmptySubsequences: false)
            .allSatisfy { label in
                !label.isEmpty && label.first != "-" && label.last != "-"
                    && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
            }
    }

    /// Whether this is a host name or a bracketed IPv6 address, with or without a port.
    var isHostWithOptionalPort: Bool {
        if isHostName { return true }
        if first == "[", last == "]" { return ListenAddress("\(self):1") != nil }
        return ListenAddress(self).map { $0.port > 0 } ?? false
    }
}
