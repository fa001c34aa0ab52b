package import OCI

/// A registry of an ocync configuration.
package struct OcyncRegistry: Hashable, Sendable {
    /// What mappings call it.
    package var alias: String
    /// As it is written: a host, perhaps with a port, a scheme and slashes at the end.
    package var url: String
    /// `nil` to go by the host.
    package var authType: AuthType?
    /// Requests at one time; `nil` for ocync's 50.
    package var maxConcurrent: Int?
    /// Used with ``AuthType/basic`` only.
    package var credentials: BasicCredentials?
    /// Used with ``AuthType/staticToken`` only.
    package var token: Secret?
    package var headFirst = false
    package var awsProfile: String?

    package init(alias: String, url: String) {
        self.alias = alias
        self.url = url
    }

    /// How ocync says who it is.
    package enum AuthType: String, CaseIterable, Hashable, Sendable {
        case ecr, gar, gcr, acr, ghcr, anonymous, basic
        case staticToken = "static_token"
        case dockerConfig = "docker_config"
    }

    package struct BasicCredentials: Hashable, Sendable {
        package var username: String
        package var password: Secret
    }
}

extension OcyncRegistry {
    /// The host in lower case, with its port if it has one.
    package var host: String { String(authority.prefix { $0 != "/" }).lowercased() }

    package var usesPlainHTTP: Bool { url.hasPrefix("http://") }

    /// Whether it is Docker Hub, by one of its names.
    package var isDockerHub: Bool { ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(host) }

    /// Whether something stands behind the host, which ocync does not use.
    var hasPath: Bool { authority.contains("/") }

    /// The URL without scheme and slashes at the end.
    private var authority: Substring {
        let scheme = ["http://", "https://"].first { url.hasPrefix($0) } ?? ""
        var rest = url.dropFirst(scheme.count)
        while rest.last == "/" { rest.removeLast() }
        return rest
    }
}
