import ArgumentParser
import Settings

/// Prints what a client's configuration needs, and where it goes.
struct ClientConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-config",
        abstract: "Print the configuration that makes a client use the mirror."
    )

    enum Client: String, CaseIterable, ExpressibleByArgument {
        case docker
        case containerd
        case podman
    }

    @Argument(help: "The client.")
    var client: Client

    @Option(help: "The mirror, as the client reaches it.", transform: Self.mirror)
    var mirror = ClientSnippet.Mirror.local

    func run() {
        let snippet = ClientSnippet(client, mirror)
        // JSON has no comments, so that the place is told beside the result rather than in it.
        if let note = snippet.note { Console.problem(note) }
        Console.result(snippet.text)
    }

    private static func mirror(_ text: String) throws -> EndpointURL {
        do {
            return try EndpointURL(text)
        } catch {
            throw ValidationError("the mirror's URL \(error.text)")
        }
    }
}

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
}

extension ClientSnippet.Mirror {
    /// Where `tidepool serve` listens when nothing else is said.
    static let local = EndpointURL(scheme: .http, authority: "127.0.0.1:5000")
}
