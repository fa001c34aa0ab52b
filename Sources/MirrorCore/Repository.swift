package import OCI

/// The canonical name of a registry that we mirror: `docker.io`, `ghcr.io`, `registry.example:5000`.
package struct UpstreamName: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// Docker Hub, by the name that images carry.
    package static let dockerHub = UpstreamName("docker.io")
}

extension UpstreamName: CustomStringConvertible {
    package var description: String { text }
}

/// A repository of an upstream: with a reference, the identity of everything in the cache.
///
/// Canonical by the time it exists: all spellings of Docker Hub are `docker.io`, and its one-component names have
/// their `library/`.
package struct Repository: Hashable, Sendable {
    package var upstream: UpstreamName
    package var name: RepositoryName

    package init(upstream: UpstreamName, name: RepositoryName) {
        self.upstream = upstream
        self.name = name
    }
}

extension Repository: CustomStringConvertible {
    package var description: String { "\(upstream)/\(name)" }
}

/// What a digest names: the two are never served in each other's place.
package enum ContentKind: UInt8, Hashable, Sendable, CaseIterable {
    case manifest = 0
    case blob = 1
}

/// Who asks.
///
/// Today anyone may; per-caller rules for private repositories come later, through here.
package struct Caller: Hashable, Sendable {
    /// The client's address, for fair queues and the log.
    package var address: String
    package var purpose: Purpose
    /// What background work for this caller leaves of the quota; `nil` for the upstream's setting.
    package var reserve: Int?

    package init(address: String, purpose: Purpose = .pull, reserve: Int? = nil) {
        self.address = address
        self.purpose = purpose
        self.reserve = reserve
    }
}
