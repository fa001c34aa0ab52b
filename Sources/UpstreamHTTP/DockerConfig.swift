import FoundationEssentials
import OCI

/// The part of docker's `config.json` that says who we are at which registry.
///
/// Read as docker's own CLI reads it (PROTOCOL.md E1, E2).
struct DockerConfig: Hashable, Sendable {
    /// Somewhere that credentials for a registry may be found, in the order they are to be tried.
    enum Candidate: Hashable, Sendable {
        /// Asks `docker-credential-<name>` for `server`.
        case helper(name: String, server: String)
        case credentials(Credentials)
    }

    private struct File: Decodable {
        var auths: [String: Entry]?
        var credHelpers: [String: String]?
        var credsStore: String?
    }

    private struct Entry: Decodable, Hashable {
        var auth: String?
        var username: String?
        var password: String?
        var identitytoken: String?
        var registrytoken: String?
    }

    private var auths: [String: Entry]
    private var helpers: [String: String]
    private var store: String?

    /// Fails when `document` is not JSON of that shape.
    init?(_ document: [UInt8]) {
        guard let file = try? JSONDecoder().decode(File.self, from: Data(document)) else { return nil }
        auths = file.auths ?? [:]
        helpers = file.credHelpers ?? [:]
        store = file.credsStore
    }

    /// Where to look for a registry's credentials.
    func candidates(for registry: RegistryKeys) -> [Candidate] {
        var candidates: [Candidate] = []
        if let key = registry.keys.first(where: { helpers[$0] != nil }), let helper = helpers[key] {
            candidates.append(.helper(name: helper, server: key))
        }
        if let store, !store.isEmpty { candidates.append(.helper(name: store, server: registry.keys[0])) }
        if let credentials = entry(for: registry).flatMap(Self.credentials) {
            candidates.append(.credentials(credentials))
        }
        return candidates
    }

    private func entry(for registry: RegistryKeys) -> Entry? {
        for key in registry.keys {
            if let entry = auths[key] { return entry }
        }
        // The old spellings, `https://host/v1/` and the like; sorted, so that the same one is found every time.
        let byHost = auths.sorted { $0.key < $1.key }
            .first { registry.hosts.contains(RegistryKeys.host(ofKey: $0.key) ?? "") }
        return byHost?.value
    }

    private static func credentials(_ entry: Entry) -> Credentials? {
        if let token = entry.registrytoken, !token.isEmpty { return .registryToken(Secret(token)) }
        if let token = entry.identitytoken, !token.isEmpty { return .identityToken(Secret(token)) }
        if let auth = entry.auth, !auth.isEmpty { return password(encoded: auth) }
        guard let username = entry.username, !username.isEmpty, let password = entry.password else { return nil }
        return .password(username: username, Secret(password))
    }

    /// Base64 of `user:password`; the password may have colons, and NULs after it.
    private static func password(encoded: String) -> Credentials? {
        guard let data = Data(base64Encoded: encoded) else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        guard let colon = text.firstIndex(of: ":"), colon > text.startIndex else { return nil }
        var password = text[text.index(after: colon)...]
        while password.last == "\0" { password.removeLast() }
        return .password(username: String(text[..<colon]), Secret(String(password)))
    }
}

/// The names under which docker's configuration may know a registry.
struct RegistryKeys: Hashable, Sendable {
    /// Exact keys, the one that docker itself writes first.
    let keys: [String]
    let hosts: Set<String>

    /// The names of a registry that images call `name`.
    init(name: String) {
        let hub = ["docker.io", "index.docker.io", "registry-1.docker.io"]
        if hub.contains(name) {
            keys = ["https://index.docker.io/v1/"] + hub
            hosts = Set(hub)
        } else {
            keys = [name]
            hosts = [name]
        }
    }

    /// The host of a key that names a whole registry.
    ///
    /// `nil` for keys with another path: docker's web login keeps its own tokens under `…/v1/access-token`, and podman's
    /// namespaced entries are for one namespace.
    static func host(ofKey key: String) -> String? {
        var rest = Substring(key)
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        let host = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(host.count)
        return ["", "/", "/v1", "/v1/", "/v2", "/v2/"].contains(path) ? String(host) : nil
    }
}
