/// skopeo, with a mirror for Docker Hub.
package struct Skopeo: Sendable {
    private let configuration: RegistriesConfiguration

    /// Makes it with the text of `registries.conf`.
    package init(registries: String) throws {
        configuration = try RegistriesConfiguration(registries: registries)
    }

    /// Copies `docker.io/<image>` to a directory of its own; `all` takes every platform.
    package func copy(
        _ image: String,
        all: Bool = false,
        to destination: TemporaryDirectory
    ) async throws -> CommandResult {
        var command = [
            ClientTool.skopeo.path, "--registries-conf", configuration.registries, "--policy", configuration.policy,
            "--override-arch", "amd64", "copy",
        ]
        if all { command.append("--all") }
        // `--authfile` keeps a user's own logins out of it.
        command += ["--authfile", configuration.directory.path("auth.json")]
        command += ["docker://docker.io/\(image)", "dir:\(destination.path)"]
        return try await Command.run(command)
    }

    /// Copies an image from a registry that is named with its host and port, and is plain or has a test's certificate.
    package func copyDirectly(
        _ image: String,
        to destination: TemporaryDirectory,
        trusting authority: TestAuthority? = nil
    ) async throws -> CommandResult {
        try await Command.run([
            ClientTool.skopeo.path, "--policy", configuration.policy, "copy", "--all",
            authority.map { "--src-cert-dir=\($0.directory.path)" } ?? "--src-tls-verify=false", "--authfile",
            configuration.directory.path("auth.json"), "docker://\(image)", "dir:\(destination.path)",
        ])
    }

    /// Pushes what ``copy(_:all:to:)`` left in a directory to a plain registry.
    package func push(_ source: TemporaryDirectory, to image: String) async throws -> CommandResult {
        try await Command.run([
            ClientTool.skopeo.path, "--policy", configuration.policy, "copy", "--all", "--preserve-digests",
            "--dest-tls-verify=false", "dir:\(source.path)", "docker://\(image)",
        ])
    }
}
