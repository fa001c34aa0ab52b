import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("A wrong byte never reaches a client as a complete body")
    struct CorruptionTests {
        static let blob = Content(seed: 71, count: 3 << 20)
        static let path = "/v2/library/app/blobs/\(blob.digest)"

        @Test("from the CDN, at any place, once or always", arguments: [1000, 1 << 20, (3 << 20) - 1], [1, 6])
        func wrongByte(offset: Int, times: Int) async throws {
            try await Stage.run { stage in
                stage.hub.publish(Self.blob, as: "library/app")
                stage.hub.script(RequestMatcher(.GET, role: .cdn), times: times, .corrupt(at: offset))
                var exchanges: [TestClient.Exchange] = []
                for _ in 0..<4 { exchanges.append(try await stage.client.start("GET", Self.path)) }
                for exchange in exchanges {
                    // No head at all is as good as a cut body.
                    guard let response = try? await exchange.response() else { continue }
                    #expect(
                        response.isExactly(Self.blob) || !response.isComplete || response.status >= 500,
                        "a complete body with a wrong byte: \(response.status), \(response.body.count) bytes"
                    )
                }
                if times > 1 { #expect(!isStored(stage), "a wrong blob landed") }

                stage.hub.clearScript()
                let next = try await stage.client.get(Self.path)
                #expect(next.isExactly(Self.blob), "the next pull")
                try await stage.client.waitUntilStored(blobs: 1)
                #expect(isStored(stage))
            }
        }

        @Test("too few and too many bytes are not the blob either", arguments: [-5, 5])
        func wrongLength(difference: Int) async throws {
            try await Stage.run { stage in
                stage.hub.publish(Self.blob, as: "library/app")
                stage.hub.script(
                    RequestMatcher(.GET, role: .cdn),
                    times: 12,
                    .claimLength(Self.blob.count + difference),
                    .cut(after: Self.blob.count)
                )
                let response = try? await stage.client.get(Self.path)
                if let response {
                    #expect(!response.isComplete || response.status >= 500 || response.isExactly(Self.blob))
                }
                stage.hub.clearScript()
                let next = try await stage.client.get(Self.path)
                #expect(next.isExactly(Self.blob), "the next pull")
            }
        }

        @Test("a manifest with a wrong byte is refused, not kept, and the next pull works")
        func wrongManifest() async throws {
            try await Stage.run { stage in
                let image = stage.hub.publish(.single(seed: 72), as: "library/app", tags: ["1"])
                stage.hub.script(RequestMatcher(.GET, kind: .manifest), times: 4, .corrupt(at: 20))
                let response = try await stage.client.get("/v2/library/app/manifests/1")
                #expect(response.status >= 500, "\(response.status)")
                stage.hub.clearScript()
                #expect(try await stage.client.get("/v2/library/app/manifests/1").isExactly(image.manifest.content))
            }
        }

        private func isStored(_ stage: Stage) -> Bool {
            stage.mirror.directory.files(under: "data/blobs").contains { $0.hasSuffix(Self.blob.digest.hex) }
        }
    }
}
