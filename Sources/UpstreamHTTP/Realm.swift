import MirrorCore

/// Where a token may be asked for, and whether our credentials may go there.
///
/// The realm comes from an answer, so it is a claim: whoever can make a registry answer 401 could otherwise have our
/// password sent anywhere.
struct RealmRules: Sendable {
    enum Verdict: Hashable, Sendable {
        /// Credentials may be sent.
        case trusted(Location)
        /// A token may be asked for without credentials.
        case anonymousOnly(Location)
        /// Not even that.
        case refused(reason: String)
    }

    let endpoint: Origin
    let trustedRealms: [String]

    func judge(_ realm: String) -> Verdict {
        guard let location = Location(realm) else { return .refused(reason: "the realm is not an http(s) URL") }
        if endpoint.isSecure, !location.origin.isSecure {
            return .refused(reason: "the realm is http and the registry https")
        }
        return isOwn(location.origin.host) || isListed(location) ? .trusted(location) : .anonymousOnly(location)
    }

    /// Whether `host` belongs to the endpoint: it is the same, or the built-in table says so.
    func isOwn(_ host: String) -> Bool {
        host == endpoint.host || Self.relatives[endpoint.host]?.contains(host) == true
    }

    /// Whether the settings name the realm.
    func isListed(_ location: Location) -> Bool {
        trustedRealms.contains { entry in
            if let trusted = Location(entry) {
                return trusted.origin == location.origin && Self.isWithin(trusted.path, location.path)
            }
            let origin = location.origin
            return entry.lowercased() == origin.host || entry.lowercased() == "\(origin.host):\(origin.port)"
        }
    }

    /// Whether `path` is `folder` or below it.
    private static func isWithin(_ folder: Substring, _ path: Substring) -> Bool {
        folder == "/" || path == folder || path.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
    }

    /// Hosts that answer for a registry of another name: its token server, or the registry behind its front.
    private static let relatives: [String: Set<String>] = [
        "registry-1.docker.io": ["auth.docker.io"],
        "index.docker.io": ["auth.docker.io"],
        "registry.hub.docker.com": ["auth.docker.io"],
        "registry.gitlab.com": ["gitlab.com"],
        "docker.elastic.co": ["docker-auth.elastic.co"],
        // Scarf's front: it redirects to ghcr.io, which challenges for itself.
        "lscr.io": ["ghcr.io"],
    ]
}
