import MirrorTesting
import OCI
import Testing

extension EndToEnd {
    @Suite("Real clients pull through the mirror: cold, warm, and with the Hub gone")
    struct RealClientTests {
        @Test("skopeo", .enabled(if: RealClient.skopeo.isUsable, RealClient.skopeo.requirement))
        func skopeo() async throws { try await pullThrough(.skopeo) }

        @Test("Podman", .enabled(if: RealClient.podman.isUsable, RealClient.podman.requirement))
        func podman() async throws { try await pullThrough(.podman) }

        @Test("containerd", .enabled(if: RealClient.containerd.isUsable, RealClient.containerd.requirement))
        func containerd() async throws { try await pullThrough(.containerd) }

        @Test("Docker", .enabled(if: RealClient.docker.isUsable, RealClient.docker.requirement))
        func docker() async throws { try await pullThrough(.docker) }

        @Test(
            "skopeo copies every platform and every byte",
            .enabled(if: RealClient.skopeo.isUsable, RealClient.skopeo.requirement)
        )
        func allPlatforms() async throws {
            try await Stage.run { stage in
                let image = stage.hub.publish(.multiPlatform(seed: 11), as: "library/multi", tags: ["1"])
                let copy = try TemporaryDirectory("copy")
                let result = try await Skopeo(registries: ClientSettings.podman(stage.mirror.authority))
                    .copy("library/multi:1", all: true, to: copy)
                try #require(result.succeeded, "\(result)")
                #expect(copy.read("manifest.json") == String(decoding: image.manifest.content.bytes, as: UTF8.self))
                for blob in image.blobs {
                    #expect(Content.digest(of: copy.bytes(blob.digest.hex)) == blob.digest)
                }
                #expect(stage.hub.manifestReads() == image.manifests.count)
            }
        }

        private func pullThrough(_ kind: RealClient) async throws {
            try await Stage.run { stage in
                let hub = stage.hub
                let index = hub.publish(.multiPlatform(seed: 1), as: "library/multi", tags: ["1"])
                let list = hub.publish(.multiPlatform(seed: 2, format: .docker), as: "library/list", tags: ["1"])
                let single = hub.publish(.single(seed: 3, format: .docker), as: "team/small", tags: ["1"])
                let images = ["library/multi:1", "library/list:1", "team/small:1"]
                try await kind.use(settings: printedSettings(for: kind, stage)) { client in
                    try await pull(images, with: client, "cold")
                    // The index, its amd64 manifest, and the single manifest: each once.
                    #expect(hub.manifestReads() == 5, "\(hub.log)")
                    for blob in index.amd64Blobs + list.amd64Blobs + single.blobs {
                        #expect(hub.transfers(of: blob) == 1, "\(blob.digest) of \(hub.log)")
                    }

                    let mark = hub.log.entries.count
                    try await pull(images, with: client, "warm")
                    #expect(hub.log.since(mark).entries.isEmpty, "a warm pull asked: \(hub.log.since(mark))")

                    await hub.stop()
                    try await pull(images, with: client, "warm, without the Hub")
                    try await hub.restart()
                }
            }
        }

        /// What a person would paste: the output of `tidepool client-config`.
        private func printedSettings(for kind: RealClient, _ stage: Stage) async throws -> String {
            let url = "http://\(stage.mirror.authority)"
            let result = try await TidepoolProcess.run(["client-config", kind.settingsName, "--mirror", url])
            try #require(result.succeeded, "\(result)")
            return result.output
        }

        private func pull(_ images: [String], with client: any PullingClient, _ occasion: String) async throws {
            for image in images {
                let result = try await client.pull(image)
                try #require(result.succeeded, "\(occasion): \(result)")
            }
            for image in images { try await client.forget(image) }
        }
    }
}

extension TestImage {
    /// The blobs of the first platform: its configuration and two layers.
    var amd64Blobs: [Content] { Array(blobs.prefix(3)) }
}
