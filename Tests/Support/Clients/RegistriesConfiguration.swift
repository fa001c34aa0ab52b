/// The files by which skopeo and Podman take a mirror for Docker Hub.
package struct RegistriesConfiguration: Sendable {
    package let directory: TemporaryDirectory
    package let registries: String
    package let policy: String

    /// Writes them with the text of `registries.conf`.
    package init(registries text: String) throws {
        directory = try TemporaryDirectory("conf")
        registries = try directory.write(text, to: "registries.conf")
        policy = try directory.write(#"{"default":[{"type":"insecureAcceptAnything"}]}"#, to: "policy.json")
    }
}
