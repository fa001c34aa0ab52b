import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("Artifacts of any type pass byte for byte")
    struct ArtifactTests {
        @Test(
            "Flux's and Helm's, by tag and by digest, with the media type that the Hub gave",
            arguments: ["flux", "helm"]
        )
        func exact(kind: String) async throws {
            try await Stage.run { stage in
                let artifact = kind == "flux" ? TestImage.flux(seed: 51) : TestImage.helm(seed: 52)
                stage.hub.publish(artifact, as: "charts/demo", tags: ["0.1.0_b1"])
                for occasion in ["cold", "warm"] {
                    for reference in ["0.1.0_b1", "\(artifact.digest)"] {
                        let response = try await stage.client.get("/v2/charts/demo/manifests/\(reference)")
                        #expect(response.isExactly(artifact.manifest.content), "\(occasion) \(reference)")
                        #expect(response.headers["content-type"] == [MediaType.ociManifest])
                        #expect(response.digestHeader == "\(artifact.digest)")
                    }
                    for blob in artifact.blobs {
                        let response = try await stage.client.get("/v2/charts/demo/blobs/\(blob.digest)")
                        #expect(response.isExactly(blob), "\(occasion) \(blob.digest)")
                        #expect(response.headers["content-length"] == ["\(blob.count)"])
                        #expect(!response.headers.contains(name: "content-encoding"))
                    }
                }
                #expect(stage.hub.manifestReads() == 1)
            }
        }

        @Test("an index and its attestation are served as they are, whatever the client accepts")
        func index() async throws {
            try await Stage.run { stage in
                let image = stage.hub.publish(.multiPlatform(seed: 53), as: "library/app", tags: ["1"])
                for accept in ["*/*", MediaType.ociManifest, "\(MediaType.dockerManifest), \(MediaType.ociIndex)"] {
                    let response = try await stage.client.get("/v2/library/app/manifests/1", ["Accept": accept])
                    #expect(response.isExactly(image.manifest.content), "\(accept)")
                    #expect(response.headers["content-type"] == [MediaType.ociIndex])
                }
                for child in image.children {
                    let response = try await stage.client.get("/v2/library/app/manifests/\(child.digest)")
                    #expect(response.isExactly(child.content))
                }
            }
        }
    }
}
