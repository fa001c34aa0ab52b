package import OCI

/// A registry that is mirrored.
package struct UpstreamSettings: Hashable, Sendable {
    /// Docker Hub, by the name that images carry.
    package static let dockerHubName = "docker.io"
    /// Every name that means Docker Hub.
    package static let dockerHubNames = [dockerHubName, "index.docker.io", "registry-1.docker.io"]

    /// The canonical name: what stands before the repository in an image's name, in lower case.
    package let name: String
    /// Where its `/v2/` is.
    package var endpoint: EndpointURL
    /// Further names under which clients ask for it.
    package var aliases: [String] = []
    package var credentials = Credentials.automatic
    package var contentSources: [ContentSource] = []
    /// How long a tag is believed without asking again.
    package var tagTTL = Duration.seconds(60)
    /// Patterns of tags that never move.
    package var immutableTags: [String] = []
    package var onUpstreamGone = GonePolicy.refuse
    /// How long a cached tag is served after the upstream began to deny it.
    package var deniedGrace = Duration.zero
    package var privateRepositories = PrivatePolicy.serve
    package var requestsPerMinute = 3000
    /// `nil` for what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
    package var proxy: ProxyURL?
    /// How long a tag that cannot be checked is served.
    package var staleIfError = Duration.seconds(30 * 86400)
    /// How long "not there" is believed without asking again.
    package var negativeTTL = Duration.seconds(10)
    /// Manifest reads that background work leaves for clients.
    package var reserve = 10
    package var concurrency = Concurrency()
    package var timeouts = Timeouts()
    /// How often a broken transfer is taken up again.
    package var retries = 5
    /// Patterns of repositories that may be asked for; empty for all.
    package var allow: [String] = []
    /// Patterns of repositories that may not, even if `allow` has them.
    package var deny: [String] = []
    /// A PEM file of certificate authorities, instead of the system's.
    package var caFile: String?
    /// Hosts of token servers that may get the credentials, besides the upstream's own and the well-known ones.
    package var trustedRealms: [String] = []
    /// Whether the upstream's TLS certificate goes unverified.
    package var insecure = false

    package init(name: String) {
        self.name = name
        endpoint = EndpointURL(scheme: .https, authority: name == Self.dockerHubName ? "registry-1.docker.io" : name)
    }

    /// The canonical form of a registry's name: Docker Hub has three names for one content.
    package static func canonical(_ name: String) -> String {
        let name = name.lowercased()
        return dockerHubNames.contains(name) ? dockerHubName : name
    }
}

/// How we say who we are to an upstream.
package enum Credentials: Hashable, Sendable {
    /// Docker's configuration file if it has an entry for the upstream, else nobody.
    case automatic
    case anonymous
    /// Docker's configuration file, with its credential helpers.
    case dockerConfig
    case basic(username: String, password: Secret)
    /// A bearer token that is sent as it is.
    case token(Secret)
}

/// A registry that may be asked, by digest, before the upstream is.
package struct ContentSource: Hashable, Sendable {
    package var url: EndpointURL
    /// Patterns of repositories that it may be told about; empty for all.
    package var repositories: [String]

    package init(url: EndpointURL, repositories: [String] = []) {
        self.url = url
        self.repositories = repositories
    }

    /// What it is called in logs and metrics: the URL without its scheme.
    package var name: String { "\(url.authority)\(url.path)" }
}

/// What becomes of a cached tag that the upstream no longer has.
package enum GonePolicy: String, CaseIterable, Hashable, Sendable {
    case refuse
    case serve
}

/// What becomes of repositories that need our credentials.
package enum PrivatePolicy: String, CaseIterable, Hashable, Sendable {
    case serve
    case refuse
}

/// Requests to an upstream at one time, by kind.
package struct Concurrency: Hashable, Sendable {
    package var heads = 32
    package var manifests = 8
    package var blobs = 16

    package init() {}
}

package struct Timeouts: Hashable, Sendable {
    /// Name resolution, TCP and TLS.
    package var connect = Duration.seconds(3)
    /// From a request to the end of the answer's head.
    package var head = Duration.seconds(5)
    /// Without a byte of a body.
    package var stall = Duration.seconds(30)
    /// From a client's request to the head of our answer, everything included.
    package var answerWithin = Duration.seconds(25)
    /// For asking the upstream about a tag when a copy could be served instead.
    package var revalidateWithin = Duration.seconds(2)

    package init() {}
}
