import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("Content sources: other registries, asked by digest before the Hub is")
    struct ContentSourceTests {
        /// A Hub, a registry that may hold the same content, and a mirror that knows of both.
        private static func run(
            repositories: String? = nil,
            settings: [String] = [],
            _ body: (Stage, ScriptedHub) async throws -> Void
        ) async throws {
            var sourceOptions = HubOptions()
            sourceOptions.authentication = .open
            sourceOptions.quota = nil
            sourceOptions.redirectsBlobs = false
            let source = try await ScriptedHub.start(sourceOptions)
            let entry = repositories.map { #"{ url: "\#(source.endpoint)", repositories: \#($0) }"# } ?? source.endpoint
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 1h", "content_sources: [\(entry)]"] + settings
            } _: { stage in
                try await body(stage, source)
            }
            await source.stop()
        }

        @Test("with a source that holds the image, the Hub sees HEADs only")
        func headsOnly() async throws {
            try await Self.run { stage, source in
                let image = publish(stage.hub, source)
                try await pull(image, stage.client)
                let gets = stage.hub.log.count(.GET, role: .registry) + stage.hub.log.count(.GET, role: .cdn)
                #expect(gets == 0, "\(stage.hub.log)")
                #expect(stage.hub.manifestHeads() >= 1)
                #expect(stage.hub.quota?.reads == 0)
                #expect(source.log.count(.GET, kind: .manifest) == image.manifests.count, "\(source.log)")
            }
        }

        @Test("wrong bytes from a source are not stored, and the Hub is asked")
        func wrongBytes() async throws {
            try await Self.run { stage, source in
                let image = publish(stage.hub, source)
                source.script(RequestMatcher(.GET), times: nil, .corrupt(at: 40))
                try await pull(image, stage.client)
                #expect(stage.hub.quota?.reads == image.manifests.count)
                for blob in image.blobs { #expect(stage.hub.transfers(of: blob) == 1, "\(stage.hub.log)") }
                try await stage.client.waitUntilStored(blobs: image.blobs.count, manifests: image.manifests.count)
                for kind in ["blobs", "manifests"] {
                    for file in stage.mirror.directory.files(under: "data/\(kind)") {
                        let bytes = stage.mirror.directory.bytes("data/\(kind)/\(file)")
                        #expect(file.hasSuffix(Content.digest(of: bytes).hex), "\(kind)/\(file) is wrong")
                    }
                }
            }
        }

        /// What a source may do instead of giving content.
        private enum Trouble: String, CaseIterable, CustomTestStringConvertible {
            case isDown
            case isSlow
            case lacksIt
            case refuses
            case cutsOff

            var testDescription: String { rawValue }
        }

        @Test("a source that cannot help only costs a little: the Hub is asked", arguments: Trouble.allCases)
        private func trouble(_ trouble: Trouble) async throws {
            try await Self.run(settings: ["timeouts: { head: 700ms }"]) { stage, source in
                let image = publish(stage.hub, trouble == .lacksIt ? nil : source)
                let barrier = Barrier()
                switch trouble {
                case .isDown: await source.stop()
                case .isSlow: source.script(RequestMatcher(), times: nil, .delay(until: barrier))
                case .lacksIt: source.expectMissing(RequestMatcher())
                case .refuses: source.script(RequestMatcher(), times: nil, .refuse(.forbidden, "DENIED"))
                case .cutsOff: source.script(RequestMatcher(.GET), times: nil, .cut(after: 30))
                }
                try await pull(image, stage.client)
                #expect(stage.hub.quota?.reads == image.manifests.count)
                barrier.open()
            }
        }

        @Test("a repository that no pattern of the source covers is not told to it")
        func privateNames() async throws {
            try await Self.run(repositories: #"["library/*"]"#) { stage, source in
                let account = HubAccount(user: "alice", password: "unus3d-pa55word")
                let secret = stage.hub.publish(.single(seed: 710), as: "alice/secret", tags: ["1"])
                stage.hub.addAccount(account)
                for path in ["manifests/1", "manifests/\(secret.digest)"] + secret.blobs.map({ "blobs/\($0.digest)" }) {
                    #expect(try await stage.client.get("/v2/alice/secret/\(path)").status == 200)
                }
                #expect(source.log.entries.isEmpty, "\(source.log)")
                try await pull(publish(stage.hub, source), stage.client)
                #expect(source.log.count(.GET, kind: .manifest) > 0)
                #expect(!source.log.description.contains("alice"))
            }
        }

        /// Publishes an image at the Hub, and at a source if there is one.
        private func publish(_ hub: ScriptedHub, _ source: ScriptedHub?) -> TestImage {
            let image = hub.publish(.multiPlatform(seed: 700), as: "library/app", tags: ["1"])
            source?.publish(image, as: "library/app")
            return image
        }

        /// Pulls all of an image; every byte must be right.
        private func pull(_ image: TestImage, _ client: TestClient) async throws {
            let tag = try await client.get("/v2/library/app/manifests/1")
            #expect(tag.status == 200 && tag.isExactly(image.manifest.content), "\(tag)")
            for manifest in image.manifests {
                let response = try await client.get("/v2/library/app/manifests/\(manifest.digest)")
                #expect(response.isExactly(manifest.content), "\(response)")
            }
            for blob in image.blobs {
                let response = try await client.get("/v2/library/app/blobs/\(blob.digest)")
                #expect(response.isExactly(blob), "\(response)")
            }
        }
    }
}
