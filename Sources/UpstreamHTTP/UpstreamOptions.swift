package import MirrorCore
package import OCI

/// How one upstream is reached.
package struct UpstreamOptions: Sendable {
    package var name: UpstreamName
    /// Where `/v2/` is served: `https://registry-1.docker.io`.
    package var endpoint: String
    package var credentials: CredentialChoice = .dockerConfig
    package var timeouts = Timeouts()
    package var concurrency = Concurrency()
    /// The request rate over all kinds, tokens included; it falls after an abuse limit, and recovers.
    package var requestsPerMinute = 3000
    /// Realms that may be sent our credentials besides the upstream's own: a host, `host:port` or URL each.
    package var trustedRealms: [String] = []
    /// Certificates to trust instead of the system's, in a PEM file.
    package var caFile: String?
    /// Does not check certificates.
    package var isInsecure = false
    /// A proxy's URL; empty for what the environment says.
    package var proxy = ""
    /// What tells this process from other mirrors in `Via`.
    package var instanceID: String
    /// Our version, for `User-Agent`.
    package var version: String

    package init(name: UpstreamName, endpoint: String, instanceID: String, version: String) {
        self.name = name
        self.endpoint = endpoint
        self.instanceID = instanceID
        self.version = version
    }

    package struct Timeouts: Hashable, Sendable {
        /// Name resolution, TCP and TLS.
        package var connect: Duration = .seconds(3)
        /// From there to the response head.
        package var head: Duration = .seconds(5)
        /// Without a byte of a body.
        package var stall: Duration = .seconds(30)
        /// The bound on waiting for a place in a window or for a limit to end, and on any single answer that is not a blob.
        package var answerWithin: Duration = .seconds(25)

        package init() {}
    }

    /// How many requests may be under way at once, by kind: ceilings, below which limits push for a while.
    package struct Concurrency: Hashable, Sendable {
        /// HEADs, tag lists and referrers.
        package var heads = 32
        package var manifests = 8
        package var blobs = 16

        package init() {}
    }
}

/// Where an upstream's credentials come from.
package enum CredentialChoice: Hashable, Sendable {
    case anonymous
    case password(username: String, Secret)
    /// A token that the registry itself takes, as `Bearer`.
    case token(Secret)
    /// Docker's own configuration, where it has something for this registry; anonymous where it has not.
    case dockerConfig
}

/// Why no client could be made of ``UpstreamOptions``.
package enum UpstreamOptionsError: Error, Hashable, Sendable {
    /// Not an absolute `http` or `https` URL without a user, query or fragment.
    case endpoint(String)
}
