package import OCI

/// An `http` or `https` URL of a server: host, optional port, optional path; nothing else.
package struct EndpointURL: Hashable, Sendable {
    package enum Scheme: String, Sendable {
        case http
        case https
    }

    package let scheme: Scheme
    /// Host and, where it was written, port.
    package let authority: String
    /// Empty, or with a leading and without a trailing slash.
    package let path: String

    /// Takes a host, with a port where it needs one, as it is.
    package init(scheme: Scheme, authority: String) {
        self.scheme = scheme
        self.authority = authority
        path = ""
    }

    /// Reads a URL; the error says what is wrong with it without repeating it, as it may hold a password.
    package init(_ text: String) throws(Refusal) {
        let parts = try URLParts(text)
        guard let scheme = Scheme(rawValue: parts.scheme) else {
            throw Refusal("is not an http:// or https:// URL")
        }
        guard parts.userInfo == nil else {
            throw Refusal("has a user name or password in it, which an endpoint cannot have")
        }
        guard !parts.rest.contains(where: { $0 == "?" || $0 == "#" }) else {
            throw Refusal("has a query or a fragment, which an endpoint cannot have")
        }
        var path = parts.rest
        while path.hasSuffix("/") { path.removeLast() }
        guard path != "/v2", !path.hasSuffix("/v2") else {
            throw Refusal("ends in /v2, which is added by itself; leave it out")
        }
        self.scheme = scheme
        self.authority = parts.authority
        self.path = path
    }
}

extension EndpointURL: CustomStringConvertible {
    package var description: String { "\(scheme.rawValue)://\(authority)\(path)" }
}

/// A proxy for requests upstream; it may carry a password, and prints without it.
package struct ProxyURL: Hashable, Sendable {
    /// The whole URL, as libcurl wants it.
    package let url: Secret
    private let shown: String

    /// Reads an `http`, `https` or `socks5` URL, with a user name and password or without.
    package init(_ text: String) throws(Refusal) {
        let parts = try URLParts(text)
        guard ["http", "https", "socks5", "socks5h"].contains(parts.scheme) else {
            throw Refusal("is not an http://, https:// or socks5:// URL")
        }
        guard parts.rest.isEmpty || parts.rest == "/" else {
            throw Refusal("has more than a host and a port, which a proxy cannot have")
        }
        url = Secret(text)
        shown = "\(parts.scheme)://\(parts.userInfo == nil ? "" : "<redacted>@")\(parts.authority)"
    }
}

extension ProxyURL: CustomStringConvertible {
    package var description: String { shown }
}

/// The pieces of `scheme://userinfo@authority/rest`.
private struct URLParts {
    var scheme: String
    var userInfo: String?
    var authority: String
    /// Path, query and fragment.
    var rest: String

    init(_ text: String) throws(Refusal) {
        guard let separator = text.firstRange(of: "://") else {
            throw Refusal("is not a URL; write one such as https://registry.example")
        }
        scheme = text[..<separator.lowerBound].lowercased()
        let remainder = text[separator.upperBound...]
        let end = remainder.firstIndex { "/?#".contains($0) } ?? remainder.endIndex
        rest = String(remainder[end...])
        var authority = remainder[..<end]
        if let at = authority.lastIndex(of: "@") {
            userInfo = String(authority[..<at])
            authority = authority[authority.index(after: at)...]
        }
        guard authority.isHostWithOptionalPort else {
            throw Refusal("has no valid host; write a URL such as https://registry.example:5000")
        }
        guard !rest.contains(where: { $0.isWhitespace || !$0.isASCII }) else {
            throw Refusal("has characters in it that a URL cannot have")
        }
        self.authority = authority.lowercased()
    }
}
