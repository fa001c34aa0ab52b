import OCI
import Ocync
import Settings

/// The credentials of an ocync file, for upstreams that are asked from here.
///
/// They go before those of the settings; a mirror that is running has credentials of its own, and never gets these.
struct LentCredentials {
    /// The settings with the credentials in them.
    private(set) var settings: MirrorSettings
    /// Registries that cannot be asked from here, by alias, and why.
    private(set) var refused: [String: String] = [:]

    /// Takes those of the registries that the mappings read from; of two for one upstream, the first one's.
    init(of configuration: OcyncConfiguration, to settings: MirrorSettings) {
        self.settings = settings
        var seen: Set<String> = []
        for registry in configuration.mappings.compactMap(\.source) {
            let name = UpstreamSettings.canonical(registry.host)
            guard let index = settings.upstreams.firstIndex(where: { $0.name == name }) else { continue }
            guard seen.insert(name).inserted else { continue }
            switch registry.authType {
            case nil: break
            case .basic?:
                guard let pair = registry.credentials, !pair.username.isEmpty || !pair.password.isEmpty else { break }
                lend(.basic(username: pair.username, password: pair.password), to: index)
            case .staticToken?:
                if let token = registry.token, !token.isEmpty { lend(.token(token), to: index) }
            case .dockerConfig?, .ghcr?: lend(.dockerConfig, to: index)
            case .anonymous?: lend(.anonymous, to: index)
            case .ecr?, .gar?, .gcr?, .acr?:
                refuse(registry, settings.upstreams[index])
            }
        }
    }

    private mutating func lend(_ credentials: Credentials, to index: Int) {
        settings.upstreams[index].credentials = credentials
    }

    private mutating func refuse(_ registry: OcyncRegistry, _ upstream: UpstreamSettings) {
        // What the settings say is a way in; then it does not matter which one ocync would take.
        guard upstream.credentials == .automatic else { return }
        let type = registry.authType?.rawValue ?? ""
        refused[registry.alias] =
            "registry '\(registry.alias)': auth_type \(type) is not supported; give the upstream \(upstream.name) "
            + "credentials in tidepool's settings"
    }
}
