/// Podman, with a store of its own and a mirror for Docker Hub.
package final class Podman: Sendable {
    private let configuration: RegistriesConfiguration
    private let directory: TemporaryDirectory

    /// Makes it with the text of `registries.conf`.
    package init(registries: String) throws {
        configuration = try RegistriesConfiguration(registries: registries)
        directory = try TemporaryDirectory("podman")
        // A user's storage.conf must not matter.
        let storage = """
            [storage]
            driver = "vfs"
            graphroot = "\(directory.path("root"))"
            runroot = "\(directory.path("run"))"

            """
        try directory.write(storage, to: "storage.conf")
        try directory.write("{}", to: "auth.json")
        try directory.write(#"{"default":[{"type":"insecureAcceptAnything"}]}"#, to: ".config/containers/policy.json")
    }

    package func pull(_ image: String) async throws -> CommandResult {
        try await run("pull", "--arch", "amd64", "docker.io/\(image)")
    }

    /// Removes every image, so that the next pull asks again.
    package func removeAll() async throws -> CommandResult { try await run("rmi", "--all", "--force") }

    private func run(_ arguments: String...) async throws -> CommandResult {
        let global = [
            "--root", directory.path("root"), "--runroot", directory.path("run"), "--storage-driver", "vfs",
            "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--tmpdir", directory.path("tmp"),
        ]
        var environment = Command.isolated
        environment["HOME"] = directory.path
        environment["XDG_RUNTIME_DIR"] = directory.path
        // A user's own logins stay out of it; the file must be there.
        environment["REGISTRY_AUTH_FILE"] = directory.path("auth.json")
        environment["CONTAINERS_REGISTRIES_CONF"] = configuration.registries
        environment["CONTAINERS_STORAGE_CONF"] = directory.path("storage.conf")
        return try await Command.run([ClientTool.podman.path] + global + arguments, environment: environment)
    }
}
