/// The files by which skopeo and Podman take a mirror for Docker Hub.
package struct RegistriesConfiguration: Sendable {
    package let directory: TemporaryDirectory
    package let registries: String
    package let policy: String

    /// Writes them for a mirror: `host:port`, with a path where it wants one.
    package init(mirror: String) throws {
        directory = try TemporaryDirectory("conf")
        let text = """
            unqualified-search-registries = ["docker.io"]
            short-name-mode = "disabled"
            [[registry]]
            prefix = "docker.io"
            location = "docker.io"
            [[registry.mirror]]
            location = "\(mirror)"
            insecure = true

            """
        registries = try directory.write(text, to: "registries.conf")
        policy = try directory.write(#"{"default":[{"type":"insecureAcceptAnything"}]}"#, to: "policy.json")
    }
}
