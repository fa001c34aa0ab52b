import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("Every spelling of a name is one entry of the cache")
    struct SpellingTests {
        /// Path prefix and query, around `/manifests/…` and `/blobs/…`.
        static let spellings: [(prefix: String, query: String)] = [
            ("/v2/nginx", ""),
            ("/v2/library/nginx", ""),
            ("/v2/nginx", "?ns=docker.io"),
            ("/v2/library/nginx", "?ns=docker.io"),
            ("/v2/library/nginx", "?ns=registry-1.docker.io"),
            ("/v2/library/nginx", "?ns=index.docker.io"),
            ("/v2/docker.io/library/nginx", ""),
            ("/v2/docker.io/nginx", ""),
            ("/v2/registry-1.docker.io/library/nginx", ""),
            ("/v2/dockerhub/library/nginx", ""),
            ("/v2/dockerhub/nginx", ""),
            ("/dockerhub/v2/library/nginx", ""),
            ("/dockerhub/v2/nginx", ""),
            ("/docker.io/v2/library/nginx", ""),
            ("/v2/docker.io/library/nginx", "?ns=docker.io"),
        ]

        @Test("the Hub is asked once, whatever the name is spelled like")
        func askedOnce() async throws {
            try await Stage.run { stage in
                let image = stage.hub.publish(.multiPlatform(seed: 5), as: "library/nginx", tags: ["1.27"])
                for (prefix, query) in Self.spellings {
                    let byTag = try await stage.client.get("\(prefix)/manifests/1.27\(query)")
                    #expect(byTag.isExactly(image.manifest.content), "\(prefix)\(query): \(byTag.status) \(byTag.text)")
                    #expect(byTag.digestHeader == "\(image.digest)")
                    let child = image.children[0]
                    let byDigest = try await stage.client.get("\(prefix)/manifests/\(child.digest)\(query)")
                    #expect(byDigest.isExactly(child.content), "\(prefix)\(query)")
                    let blob = try await stage.client.get("\(prefix)/blobs/\(image.blobs[1].digest)\(query)")
                    #expect(blob.isExactly(image.blobs[1]), "\(prefix)\(query)")
                }
                #expect(stage.hub.manifestReads() == 2)
                #expect(stage.hub.log.count(.HEAD, kind: .manifest, reference: "1.27") == 1)
                #expect(stage.hub.transfers(of: image.blobs[1]) == 1)
                #expect(stage.hub.log.count(kind: .token) == 1)
            }
        }

        @Test("OCI-Namespace tells which ns was used")
        func namespaceHeader() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 6), as: "library/nginx", tags: ["1"])
                let named = try await stage.client.head("/v2/library/nginx/manifests/1?ns=docker.io")
                #expect(named.headers["oci-namespace"] == ["docker.io"])
                let unnamed = try await stage.client.head("/v2/library/nginx/manifests/1")
                #expect(unnamed.headers["oci-namespace"] == [])
            }
        }

        @Test(
            "an upstream that is not configured is refused",
            arguments: ["quay.io", "127.0.0.1:22", "169.254.169.254"]
        )
        func unknownUpstream(namespace: String) async throws {
            try await Stage.run { stage in
                let response = try await stage.client.get("/v2/org/app/manifests/1?ns=\(namespace)")
                #expect(response.status == 404)
                #expect(response.isError("NAME_UNKNOWN"), "\(response.text)")
                #expect(stage.hub.log.entries.isEmpty)
            }
        }
    }
}
