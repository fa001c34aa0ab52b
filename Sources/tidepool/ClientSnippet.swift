import Settings

/// A piece of a client's configuration.
struct ClientSnippet {
    typealias Mirror = EndpointURL

    let text: String
    /// Where it goes, for formats that cannot say it themselves.
    let note: String?

    init(_ client: ClientConfigCommand.Client, _ mirror: Mirror) {
        switch client {
        case .docker:
            note = "Put this into /etc/docker/daemon.json, and restart Docker. It mirrors Docker Hub only."
            text = Self.docker(mirror)
        case .containerd:
            note = nil
            text = Self.containerd(mirror)
        case .podman:
            note = nil
            text = Self.podman(mirror)
        case .buildkit:
            note = nil
            text = Self.buildkit(mirror)
        case .k3s:
            note = nil
            text = Self.k3s(mirror)
        case .flux:
            note = "Flux has no setting for mirrors: each OCIRepository and HelmRepository names the mirror in its url."
            text = Self.flux(mirror)
        case .helm:
            note = "Helm has no setting for mirrors: the chart's reference names the mirror."
            text = Self.helm(mirror)
        }
    }

    private static func docker(_ mirror: Mirror) -> String {
        """
        {
          "registry-mirrors": ["\(mirror)"]
        }
        """
    }

    private static func containerd(_ mirror: Mirror) -> String {
        """
        # /etc/containerd/certs.d/docker.io/hosts.toml
        # Needs config_path = "/etc/containerd/certs.d" in the registry section of containerd's config.toml (for the
        # kubelet and crictl), or `ctr images pull --hosts-dir /etc/containerd/certs.d`. Read anew for every pull.
        # The same in /etc/containerd/certs.d/_default/hosts.toml, without `server`, mirrors every other registry.
        server = "https://registry-1.docker.io"

        [host."\(mirror)"]
          capabilities = ["pull", "resolve"]
        """
    }

    private static func podman(_ mirror: Mirror) -> String {
        """
        # /etc/containers/registries.conf.d/50-tidepool.conf, for podman, buildah, skopeo and CRI-O.
        # The mirror of another registry has that registry's name at the end of its location:
        # location = "\(mirror.authority)\(mirror.path)/ghcr.io"
        [[registry]]
        prefix = "docker.io"
        location = "docker.io"

        [[registry.mirror]]
        location = "\(mirror.authority)\(mirror.path)"
        insecure = \(mirror.scheme == .http)
        """
    }

    private static func buildkit(_ mirror: Mirror) -> String {
        """
        # /etc/buildkit/buildkitd.toml, or `docker buildx create --buildkitd-config FILE`.
        # The mirror of another registry is a section of its own: [registry."ghcr.io"]
        [registry."docker.io"]
          mirrors = ["\(mirror.authority)\(mirror.path)"]

        [registry."\(mirror.authority)"]
          http = \(mirror.scheme == .http)
        """
    }

    private static func k3s(_ mirror: Mirror) -> String {
        // An endpoint's path would take the place of /v2; written after it, it is a prefix of the repository.
        let path = mirror.path.isEmpty ? "" : "/v2\(mirror.path)"
        return """
            # /etc/rancher/k3s/registries.yaml (RKE2: /etc/rancher/rke2/registries.yaml); restart k3s after a change.
            # The same under "*" mirrors every other registry.
            mirrors:
              docker.io:
                endpoint: ["\(mirror.scheme.rawValue)://\(mirror.authority)\(path)"]
            """
    }

    private static func flux(_ mirror: Mirror) -> String {
        """
        # For ghcr.io/stefanprodan/manifests/podinfo. The registry's name stands in the path; the tag does not.
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: OCIRepository
        metadata:
          name: podinfo
          namespace: flux-system
        spec:
          interval: 5m
          url: oci://\(mirror.authority)\(mirror.path)/ghcr.io/stefanprodan/manifests/podinfo
          insecure: \(mirror.scheme == .http)
          ref:
            semver: ">= 6.0.0"
        """
    }

    private static func helm(_ mirror: Mirror) -> String {
        let plain = mirror.scheme == .http ? " --plain-http" : ""
        return """
            # For oci://ghcr.io/stefanprodan/charts/podinfo. The registry's name stands in the path.
            helm pull oci://\(mirror.authority)\(mirror.path)/ghcr.io/stefanprodan/charts/podinfo --version 6.7.1\(plain)
            """
    }
}

extension ClientSnippet.Mirror {
    /// Where `tidepool serve` listens when nothing else is said.
    static let local = EndpointURL(scheme: .http, authority: "127.0.0.1:5000")
}
