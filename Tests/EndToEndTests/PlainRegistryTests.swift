import MirrorTesting
import Testing

extension EndToEnd {
    @Suite("A real registry as upstream")
    struct PlainRegistryTests {
        @Test(
            "what skopeo pushed to docker-registry is pulled through, by path and by ns, and again when it is gone",
            .enabled(
                if: ClientTool.dockerRegistry.isInstalled && ClientTool.skopeo.isInstalled
                    && ClientTool.curl.isInstalled,
                "docker-registry, skopeo and curl are not all installed"
            )
        )
        func pullThrough() async throws {
            let registry = try await PlainRegistry.start()
            do { try await pullThrough(registry) } catch {
                await registry.stop()
                throw error
            }
            await registry.stop()
        }

        private func pullThrough(_ registry: PlainRegistry) async throws {
            try await Stage.run { _, options in
                options.otherUpstreams = ["  registry.test:", "    endpoint: http://\(registry.authority)"]
            } _: { stage in
                let image = try await push(to: registry, stage.hub)
                let skopeo = try Skopeo(registries: "")
                let source = "\(stage.mirror.authority)/registry.test/team/app:1"
                for occasion in ["cold", "warm", "gone"] {
                    if occasion == "gone" { await registry.stop() }
                    let copy = try await skopeo.copyDirectly(source, to: TemporaryDirectory("copy"))
                    #expect(copy.succeeded, "\(occasion): \(copy)")
                    let path = "/v2/team/app/manifests/\(image.digest)?ns=registry.test"
                    #expect(try await stage.client.get(path).isExactly(image.manifest.content), "\(occasion)")
                }
            }
        }

        /// Copies an image from the Hub to the registry, under another name.
        private func push(to registry: PlainRegistry, _ hub: ScriptedHub) async throws -> TestImage {
            let image = hub.publish(.multiPlatform(seed: 131), as: "library/app", tags: ["1"])
            let files = try TemporaryDirectory("push")
            let skopeo = try Skopeo(registries: ClientSettings.podman("127.0.0.1:\(hub.port(of: .registry))"))
            let pulled = try await skopeo.copy("library/app:1", all: true, to: files)
            try #require(pulled.succeeded, "\(pulled)")
            let pushed = try await skopeo.push(files, to: "\(registry.authority)/team/app:1")
            try #require(pushed.succeeded, "\(pushed)")
            return image
        }
    }
}
