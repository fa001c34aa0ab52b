/// The file by which a client takes a mirror for Docker Hub, as its own documentation has it.
///
/// The `mirror` is `host:port` of a plain listener.
package enum ClientSettings {
    /// Docker's `daemon.json`.
    package static func docker(_ mirror: String) -> String {
        #"{"registry-mirrors": ["http://\#(mirror)"]}"#
    }

    /// containerd's `hosts.toml` for docker.io.
    package static func containerd(_ mirror: String) -> String {
        """
        server = "https://registry-1.docker.io"
        [host."http://\(mirror)"]
          capabilities = ["pull", "resolve"]

        """
    }

    /// `registries.conf`, for Podman and skopeo.
    package static func podman(_ mirror: String) -> String {
        """
        [[registry]]
        prefix = "docker.io"
        location = "docker.io"
        [[registry.mirror]]
        location = "\(mirror)"
        insecure = true

        """
    }
}
