import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("Ranges and conditions on what is held")
    struct RangeTests {
        static let blob = Content(seed: 81, count: 5000)
        static let path = "/v2/library/app/blobs/\(blob.digest)"

        /// `Range`, and the bytes that it means.
        static let satisfiable: [(String, Range<Int>)] = [
            ("bytes=0-", 0..<5000), ("bytes=500-1499", 500..<1500), ("bytes=500-", 500..<5000),
            ("bytes=-500", 4500..<5000), ("bytes=2000-9999", 2000..<5000), ("bytes=0-5000", 0..<5000),
            ("bytes=4999-4999", 4999..<5000), ("bytes=-9999", 0..<5000),
        ]

        @Test("one range is 206 with the right bytes; out of reach is 416; foreign units are ignored")
        func ranges() async throws {
            try await Stage.run { stage in
                stage.hub.publish(Self.blob, as: "library/app")
                _ = try await stage.client.get(Self.path)
                for (range, expected) in Self.satisfiable {
                    let response = try await stage.client.get(Self.path, ["Range": range])
                    #expect(response.status == 206, "\(range)")
                    #expect(response.isComplete && response.body == Self.blob[expected], "\(range)")
                    let stated = "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/5000"
                    #expect(response.headers["content-range"] == [stated])
                }
                for range in ["bytes=5000-", "bytes=500-0", "bytes=9999-10000"] {
                    let response = try await stage.client.get(Self.path, ["Range": range])
                    #expect(response.status == 416, "\(range)")
                    #expect(response.headers["content-range"] == ["bytes */5000"])
                }
                let foreign = try await stage.client.get(Self.path, ["Range": "items=0-1"])
                #expect(foreign.status == 200 && foreign.isExactly(Self.blob))
                #expect(foreign.headers["accept-ranges"] == ["bytes"])
            }
        }

        @Test("several ranges are a multipart answer, or what clients take instead")
        func multiRange() async throws {
            try await Stage.run { stage in
                stage.hub.publish(Self.blob, as: "library/app")
                _ = try await stage.client.get(Self.path)
                let response = try await stage.client.get(Self.path, ["Range": "bytes=0-1,10-11"])
                switch response.status {
                case 206:
                    let type = response.headers.first(name: "content-type") ?? ""
                    #expect(type.hasPrefix("multipart/byteranges; boundary="))
                    #expect(response.isComplete && response.text.contains("Content-Range: bytes 10-11/5000"))
                case 200: #expect(response.isExactly(Self.blob))
                default: #expect(response.status == 400)
                }
            }
        }

        @Test("a known ETag is answered 304, and HEAD tells what GET would")
        func conditions() async throws {
            try await Stage.run { stage in
                let image = stage.hub.publish(.single(seed: 82), as: "library/app", tags: ["1"])
                let manifest = "/v2/library/app/manifests/1"
                let blob = "/v2/library/app/blobs/\(image.blobs[0].digest)"
                for path in [manifest, blob] {
                    let get = try await stage.client.get(path)
                    let tag = try #require(get.headers.first(name: "etag"))
                    let unchanged = try await stage.client.get(path, ["If-None-Match": tag])
                    #expect(unchanged.status == 304 && unchanged.body == [])
                    let head = try await stage.client.head(path)
                    #expect(head.status == 200 && head.body == [])
                    for name in ["content-length", "content-type", "docker-content-digest", "etag"] {
                        #expect(
                            head.headers[name] == get.headers[name] && get.headers[name].count == 1,
                            "\(path) \(name)"
                        )
                    }
                }
            }
        }
    }
}
