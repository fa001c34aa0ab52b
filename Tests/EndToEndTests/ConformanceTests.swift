import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    /// What the read-only part of the OCI conformance suite asserts, and the habits that clients rely on.
    @Suite("The distribution specification, read-only")
    struct ConformanceTests {
        @Test("/v2/ says 200 without a challenge", arguments: ["/v2/", "/v2"])
        func ping(path: String) async throws {
            try await Stage.run { stage in
                let response = try await stage.client.get(path)
                #expect(response.status == 200 && response.text == "{}")
                #expect(response.headers["content-type"] == ["application/json"])
                #expect(response.headers["docker-distribution-api-version"] == ["registry/2.0"])
                #expect(!response.headers.contains(name: "www-authenticate"))
                #expect(try await stage.client.head(path).status == 200)
                #expect(stage.hub.log.entries.isEmpty)
            }
        }

        @Test("what does not exist is 404, what is malformed 400 or 404, GET and HEAD alike")
        func unknown() async throws {
            let unknownDigest = Content("hello world").digest
            let cases: [(path: String, statuses: [Int], codes: [String])] = [
                ("blobs/\(unknownDigest)", [404], ["BLOB_UNKNOWN"]),
                ("manifests/\(unknownDigest)", [404], ["MANIFEST_UNKNOWN"]),
                ("manifests/missing-tag", [404], ["MANIFEST_UNKNOWN"]),
                ("manifests/.INVALID_MANIFEST_NAME", [404], ["MANIFEST_UNKNOWN"]),
                (
                    "manifests/sha256:totallywrong", [400, 404],
                    ["DIGEST_INVALID", "MANIFEST_INVALID", "MANIFEST_UNKNOWN"]
                ),
                (
                    "manifests/sha256:baddigeststring", [400, 404],
                    ["DIGEST_INVALID", "MANIFEST_INVALID", "MANIFEST_UNKNOWN"]
                ),
                ("blobs/sha256:totallywrong", [400, 404], ["DIGEST_INVALID", "BLOB_UNKNOWN"]),
            ]
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 91), as: "library/app", tags: ["1"])
                stage.hub.expectMissing(RequestMatcher(repository: "library/app"))
                for (path, statuses, codes) in cases {
                    let get = try await stage.client.get("/v2/library/app/\(path)")
                    #expect(statuses.contains(get.status), "\(path): \(get.status)")
                    #expect(codes.contains { get.isError($0) }, "\(path): \(get.text)")
                    let head = try await stage.client.head("/v2/library/app/\(path)")
                    #expect(head.status == get.status && head.body == [])
                }
                #expect(stage.hub.quota?.spent == 0, "an absence cost quota: \(stage.hub.log)")
            }
        }

        @Test("absences are remembered for a moment")
        func negativeCache() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 92), as: "library/app", tags: ["1"])
                stage.hub.expectMissing(RequestMatcher(repository: "library/app"))
                for _ in 0..<5 { _ = try await stage.client.get("/v2/library/app/manifests/nosuch") }
                #expect(stage.hub.log.count(kind: .manifest) == 1, "\(stage.hub.log)")
            }
        }

        @Test("writes are refused with Allow", arguments: ["POST", "PUT", "PATCH", "DELETE"])
        func writes(method: String) async throws {
            try await Stage.run { stage in
                let path = method == "POST" ? "/v2/library/app/blobs/uploads/" : "/v2/library/app/manifests/1"
                let response = try await stage.client.request(method, path, ["Content-Length": "0"])
                #expect(response.status == 405)
                #expect(response.isError("UNSUPPORTED"), "\(response.text)")
                #expect(response.headers["allow"] == ["GET, HEAD"])
                #expect(stage.hub.log.entries.isEmpty)
            }
        }

        @Test("every answer names itself: version, request, and what the cache did")
        func commonHeaders() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 93), as: "library/app", tags: ["1"])
                let cold = try await stage.client.get("/v2/library/app/manifests/1")
                let warm = try await stage.client.get("/v2/library/app/manifests/1")
                for response in [cold, warm] {
                    #expect(response.headers["docker-distribution-api-version"] == ["registry/2.0"])
                    #expect(response.headers["x-request-id"].count == 1)
                }
                #expect(cold.headers["cache-status"].first?.hasPrefix("tidepool; fwd=miss") == true)
                #expect(warm.headers["cache-status"] == ["tidepool; hit"])
            }
        }

        @Test("content of one repository is not served for another that does not have it")
        func membership() async throws {
            try await Stage.run { stage in
                let image = stage.hub.publish(.single(seed: 94), as: "library/app", tags: ["1"])
                stage.hub.publish(.single(seed: 95), as: "library/other", tags: ["1"])
                stage.hub.expectMissing(RequestMatcher(repository: "library/other"))
                let blob = image.blobs[1]
                let served = try await stage.client.get("/v2/library/app/blobs/\(blob.digest)")
                #expect(served.isExactly(blob))
                #expect(try await stage.client.get("/v2/library/app/manifests/1").isExactly(image.manifest.content))
                #expect(try await stage.client.get("/v2/library/other/blobs/\(blob.digest)").status == 404)
                #expect(try await stage.client.get("/v2/library/other/manifests/\(image.digest)").status == 404)
            }
        }
    }
}
