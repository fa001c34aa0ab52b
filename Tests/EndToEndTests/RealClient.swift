import Glibc
import MirrorTesting
import Testing

/// A client that people use, started with the mirror as Docker Hub.
enum RealClient: String {
    case skopeo
    case podman
    case containerd
    case docker

    var isUsable: Bool {
        switch self {
        case .skopeo: ClientTool.skopeo.isInstalled
        case .podman: ClientTool.podman.isInstalled
        case .containerd: getuid() == 0 && ClientTool.containerd.isInstalled && ClientTool.ctr.isInstalled
        case .docker: getuid() == 0 && ClientTool.dockerd.isInstalled && ClientTool.docker.isInstalled
        }
    }

    /// What to say when it is skipped.
    var requirement: Comment {
        switch self {
        case .skopeo, .podman: "\(rawValue) is not installed"
        case .containerd: "containerd and ctr are not installed, or we are not root"
        case .docker: "dockerd and docker are not installed, or we are not root"
        }
    }

    /// What `tidepool client-config` calls its settings.
    var settingsName: String { self == .skopeo ? "podman" : rawValue }

    /// Its settings as its own documentation has them, for a mirror at `host:port`.
    func documentedSettings(_ mirror: String) -> String {
        switch self {
        case .skopeo, .podman: ClientSettings.podman(mirror)
        case .containerd: ClientSettings.containerd(mirror)
        case .docker: ClientSettings.docker(mirror)
        }
    }

    /// Runs `body` with the client and these settings; its daemon, if it has one, ends with it.
    func use(settings: String, _ body: (any PullingClient) async throws -> Void) async throws {
        let client: any PullingClient =
            switch self {
            case .skopeo: SkopeoClient(skopeo: try Skopeo(registries: settings))
            case .podman: PodmanClient(podman: try Podman(registries: settings))
            case .containerd: ContainerdClient(daemon: try await .start(hosts: settings))
            case .docker: DockerClient(daemon: try await .start(configuration: settings))
            }
        do { try await body(client) } catch {
            await client.stop()
            throw error
        }
        await client.stop()
    }
}

/// What the tests ask of a client.
protocol PullingClient {
    /// Pulls `repository:tag` from Docker Hub, for linux/amd64.
    func pull(_ image: String) async throws -> CommandResult
    /// Forgets an image, so that the next pull asks for all of it again.
    func forget(_ image: String) async throws
    func stop() async
}

private struct SkopeoClient: PullingClient {
    let skopeo: Skopeo

    func pull(_ image: String) async throws -> CommandResult {
        try await skopeo.copy(image, to: TemporaryDirectory("skopeo"))
    }

    func forget(_ image: String) {}
    func stop() {}
}

private struct PodmanClient: PullingClient {
    let podman: Podman

    func pull(_ image: String) async throws -> CommandResult { try await podman.pull(image) }
    func forget(_ image: String) async throws { _ = try await podman.removeAll() }
    func stop() {}
}

private struct ContainerdClient: PullingClient {
    let daemon: Containerd

    func pull(_ image: String) async throws -> CommandResult { try await daemon.pull(image) }
    func forget(_ image: String) async throws { _ = try await daemon.remove(image) }
    func stop() async { await daemon.stop() }
}

private struct DockerClient: PullingClient {
    let daemon: DockerDaemon

    func pull(_ image: String) async throws -> CommandResult { try await daemon.pull(image) }
    func forget(_ image: String) async throws { _ = try await daemon.remove(image) }
    func stop() async { await daemon.stop() }
}
