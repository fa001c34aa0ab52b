import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    /// The clients against the Hub itself: what fails here is the recipe or the Hub, not tidepool.
    @Suite("Each real client pulls from the scripted Hub without a mirror")
    struct RecipesTests {
        @Test("skopeo", .enabled(if: ClientTool.skopeo.isInstalled, "skopeo is not installed"))
        func skopeo() async throws { try await pull(with: .skopeo) }

        @Test("Podman", .enabled(if: ClientTool.podman.isInstalled, "podman is not installed"))
        func podman() async throws { try await pull(with: .podman) }

        @Test("containerd", .enabled(if: RealClient.containerd.isUsable, RealClient.containerd.requirement))
        func containerd() async throws { try await pull(with: .containerd) }

        @Test("Docker", .enabled(if: RealClient.docker.isUsable, RealClient.docker.requirement))
        func docker() async throws { try await pull(with: .docker) }

        private func pull(with kind: RealClient) async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(.multiPlatform(seed: 1), as: "library/multi", tags: ["1"])
            hub.publish(.single(seed: 2, format: .docker), as: "library/small", tags: ["1"])
            try await kind.use(settings: kind.documentedSettings("127.0.0.1:\(hub.port(of: .registry))")) { client in
                for image in ["library/multi:1", "library/small:1"] {
                    let result = try await client.pull(image)
                    #expect(result.succeeded, "\(result)")
                }
            }
            #expect(hub.log.count(.GET, role: .cdn) >= 4, "\(hub.log)")
            await hub.stop()
        }
    }
}
