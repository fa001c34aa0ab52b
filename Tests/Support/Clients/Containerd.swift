/// containerd of its own, and `ctr` against it with a `hosts.toml`.
package struct Containerd: Sendable {
    private let directory: TemporaryDirectory
    private let daemon: Daemon

    /// Starts it with the text of docker.io's `hosts.toml`.
    package static func start(hosts: String) async throws -> Containerd {
        let directory = try TemporaryDirectory("ctd")
        let settings = """
            version = 2
            root = "\(directory.path("root"))"
            state = "\(directory.path("state"))"
            disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.grpc.v1.cri"]
            [grpc]
              address = "\(directory.path("c.sock"))"

            """
        try directory.write(hosts, to: "certs.d/docker.io/hosts.toml")
        let daemon = try await Daemon.start(
            [ClientTool.containerd.path, "--config", directory.write(settings, to: "config.toml")],
            in: directory,
            probe: [ClientTool.ctr.path, "-a", directory.path("c.sock"), "version"]
        )
        return Containerd(directory: directory, daemon: daemon)
    }

    package func pull(_ image: String) async throws -> CommandResult {
        try await ctr(
            "images",
            "pull",
            "--hosts-dir",
            directory.path("certs.d"),
            "--snapshotter",
            "native",
            "--platform",
            "linux/amd64",
            "docker.io/\(image)"
        )
    }

    /// Removes an image with its content, so that the next pull asks again.
    package func remove(_ image: String) async throws -> CommandResult {
        _ = try await ctr("images", "rm", "--sync", "docker.io/\(image)")
        return try await ctr("content", "prune", "references")
    }

    package func stop() async { await daemon.stop() }

    private func ctr(_ arguments: String...) async throws -> CommandResult {
        try await Command.run([ClientTool.ctr.path, "-a", directory.path("c.sock"), "-n", "test"] + arguments)
    }
}
