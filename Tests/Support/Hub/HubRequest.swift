import NIOHTTP1
import OCI

/// Which of the Hub's three servers is meant.
package enum HubRole: String, CaseIterable, Sendable {
    case registry
    case tokens
    case cdn
}

/// A request as one of the servers received it.
package struct HubRequest: Sendable {
    package let role: HubRole
    package let method: HTTPMethod
    /// As it came: not decoded, without the query.
    package let path: String
    package let query: [String: [String]]
    package let headers: HTTPHeaders
    package let body: String
    package let target: HubTarget

    init(role: HubRole, head: HTTPRequestHead, body: String) {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.role = role
        method = head.method
        path = String(parts[0])
        query = Self.parameters(parts.count > 1 ? String(parts[1]) : "")
        headers = head.headers
        self.body = body
        target = HubTarget(role: role, path: path)
    }

    package var authorization: String? { headers.first(name: "authorization") }

    /// Reads `a=b&c=d`, percent-decoded.
    static func parameters(_ text: String) -> [String: [String]] {
        var parameters: [String: [String]] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1]) : ""
            parameters[String(parts[0]), default: []].append(percentDecoded(value))
        }
        return parameters
    }

    private static func percentDecoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Substring(text)
        while let character = rest.popFirst() {
            if character == "%", let byte = UInt8(rest.prefix(2), radix: 16) {
                bytes.append(byte)
                rest = rest.dropFirst(2)
            } else {
                bytes += String(character).utf8
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What a request is about.
package enum HubTarget: Hashable, Sendable {
    case ping
    case manifest(repository: String, reference: String)
    case blob(repository: String, digest: String)
    case tags(repository: String)
    case referrers(repository: String, digest: String)
    case token
    case cdnBlob(digest: String)
    case unknown

    /// The kind alone, for counting.
    package enum Kind: String, Sendable {
        case ping
        case manifest
        case blob
        case tags
        case referrers
        case token
        case cdnBlob
        case unknown
    }

    init(role: HubRole, path: String) {
        switch role {
        case .registry: self = Self.registry(path)
        case .tokens: self = path == "/token" ? .token : .unknown
        case .cdn: self = Self.cdn(path)
        }
    }

    private static func registry(_ path: String) -> HubTarget {
        guard path.hasPrefix("/v2") else { return .unknown }
        let parts = path.dropFirst(3).split(separator: "/").map(String.init)
        if parts.isEmpty { return .ping }
        guard parts.count >= 3 else { return .unknown }
        let repository = parts.dropLast(2).joined(separator: "/")
        let last = parts[parts.count - 1]
        switch parts[parts.count - 2] {
        case "manifests": return .manifest(repository: repository, reference: last)
        case "blobs": return .blob(repository: repository, digest: last)
        case "tags" where last == "list": return .tags(repository: repository)
        case "referrers": return .referrers(repository: repository, digest: last)
        default: return .unknown
        }
    }

    private static func cdn(_ path: String) -> HubTarget {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count > 2, parts.last == "data" else { return .unknown }
        return .cdnBlob(digest: "sha256:" + parts[parts.count - 2])
    }

    package var kind: Kind {
        switch self {
        case .ping: .ping
        case .manifest: .manifest
        case .blob: .blob
        case .tags: .tags
        case .referrers: .referrers
        case .token: .token
        case .cdnBlob: .cdnBlob
        case .unknown: .unknown
        }
    }

    package var repository: String? {
        switch self {
        case .manifest(let repository, _), .blob(let repository, _), .tags(let repository),
            .referrers(let repository, _):
            repository
        case .ping, .token, .cdnBlob, .unknown: nil
        }
    }

    /// The digest or tag that is asked for.
    package var reference: String? {
        switch self {
        case .manifest(_, let reference): reference
        case .blob(_, let digest), .referrers(_, let digest), .cdnBlob(let digest): digest
        case .ping, .tags, .token, .unknown: nil
        }
    }
}
