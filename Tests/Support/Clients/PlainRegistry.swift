/// Debian's `docker-registry`: an upstream that nobody scripted, or in proxy mode a mirror to compare with.
package struct PlainRegistry: Sendable {
    package let port: Int
    package let directory: TemporaryDirectory
    private let daemon: Daemon

    package var authority: String { "127.0.0.1:\(port)" }
    package var client: TestClient { TestClient(port: port) }

    /// Starts it, as a mirror when it is given what to be a proxy of, and with the data of the directory.
    package static func start(
        proxyOf remote: String? = nil,
        in directory: TemporaryDirectory? = nil
    ) async throws -> PlainRegistry {
        let directory = try directory ?? TemporaryDirectory("registry")
        let port = try await FreePort.find()
        let settings = """
            version: 0.1
            log: {level: info}
            storage:
              filesystem: {rootdirectory: \(directory.path("data"))}
            http:
              addr: 127.0.0.1:\(port)
              secret: none
            \(remote.map { "proxy: {remoteurl: \($0)}" } ?? "")

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

    /// Ends it as a crash would.
    package func kill() async { await daemon.kill() }
}
