/// Debian's `docker-registry`, as an upstream that nobody scripted.
package struct PlainRegistry: Sendable {
    package let port: Int
    private let directory: TemporaryDirectory
    private let daemon: Daemon

    package var authority: String { "127.0.0.1:\(port)" }

    package static func start() async throws -> PlainRegistry {
        let directory = try TemporaryDirectory("registry")
        let port = try await FreePort.find()
        let settings = """
            version: 0.1
            log: {level: info}
            storage:
              filesystem: {rootdirectory: \(directory.path("data"))}
            http:
              addr: 127.0.0.1:\(port)
              secret: none

            """
        let daemon = try await Daemon.start(
            [ClientTool.dockerRegistry.path, "serve", directory.write(settings, to: "config.yml")],
            in: directory,
            isolated: false,
            probe: [ClientTool.curl.path, "-sf", "http://127.0.0.1:\(port)/v2/"]
        )
        return PlainRegistry(port: port, directory: directory, daemon: daemon)
    }

    /// What it was asked: its access log.
    package var log: String { daemon.log }

    package func stop() async { await daemon.stop() }
}
