/// dockerd of its own with a registry mirror, and the `docker` command line against it.
package struct DockerDaemon: Sendable {
    private let directory: TemporaryDirectory
    private let daemon: Daemon

    /// Starts it with the text of `daemon.json`.
    package static func start(configuration: String) async throws -> DockerDaemon {
        let directory = try TemporaryDirectory("dockerd")
        let socket = "unix://\(directory.path("d.sock"))"
        let command = [
            ClientTool.dockerd.path, "--config-file", try directory.write(configuration, to: "daemon.json"),
            "--data-root", directory.path("data"), "--exec-root", directory.path("exec"),
            "--pidfile", directory.path("docker.pid"), "-H", socket,
            // No network, no firewall rules: it only pulls. vfs works on any file system.
            "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none",
            "--storage-driver=vfs", "--exec-opt", "native.cgroupdriver=cgroupfs",
        ]
        let daemon = try await Daemon.start(
            command,
            in: directory,
            probe: [ClientTool.docker.path, "-H", socket, "version"]
        )
        return DockerDaemon(directory: directory, daemon: daemon)
    }

    package func pull(_ image: String) async throws -> CommandResult {
        try await docker("pull", "--platform", "linux/amd64", image)
    }

    /// Removes an image, so that the next pull asks again.
    package func remove(_ image: String) async throws -> CommandResult { try await docker("rmi", "--force", image) }

    package func stop() async { await daemon.stop() }

    private func docker(_ arguments: String...) async throws -> CommandResult {
        var environment = Command.isolated
        environment["DOCKER_CONFIG"] = directory.path("config")
        let socket = "unix://\(directory.path("d.sock"))"
        return try await Command.run([ClientTool.docker.path, "-H", socket] + arguments, environment: environment)
    }
}
