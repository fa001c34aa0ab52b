import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

private let digest = Digest(repeating: 0xab)
private let target = "/v2/library/nginx/blobs/\(digest)"
private let etag = "\"\(digest)\""

private func noise(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<(count + 7) / 8)
        .flatMap { _ in
            withUnsafeBytes(of: generator.next()) { Array($0) }
        }
        .prefix(count).map { $0 }
}

@Suite("Blobs from the store", .timeLimit(.minutes(1)))
struct StoredBlobTests {
    private let blob = noise(5000)

    private func withBlob(_ blob: [UInt8], _ body: (LiveServer) async throws -> Void) async throws {
        try await withServer { live in
            let file = try TemporaryFile(blob)
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            try await body(live)
        }
    }

    @Test("a blob is served whole, named by its digest")
    func whole() async throws {
        try await withBlob(blob) { live in
            let response = try await live.request(target)
            #expect(response.status == 200)
            #expect(response.body == blob)
            #expect(response["content-type"] == "application/octet-stream")
            #expect(response["docker-content-digest"] == "\(digest)")
            #expect(response["etag"] == etag)
            #expect(response["accept-ranges"] == "bytes")
            #expect(response["cache-status"] == "tidepool; hit")
            let head = try await live.request(target, method: "HEAD")
            #expect(head.status == 200)
            #expect(head["content-length"] == "5000")
        }
    }

    @Test("a blob of many windows arrives byte for byte, again and again on one connection")
    func large() async throws {
        let blob = noise(5 << 20 | 12345)
        try await withBlob(blob) { live in
            let client = try await RawClient(live.address)
            for _ in 0..<3 {
                try await client.send("GET \(target) HTTP/1.1\r\nHost: m\r\n\r\n")
                #expect(try await client.response().body == blob)
            }
        }
    }

    @Test("an empty blob is served")
    func empty() async throws {
        try await withBlob([]) { live in
            let response = try await live.request(target, headers: ["Range: bytes=0-"])
            #expect(response.status == 200)
            #expect(response["content-length"] == "0")
        }
    }

    /// The vectors of PROTOCOL F5.
    @Test(
        "a range is served as part of the blob",
        arguments: [
            ("0-", 0..<5000), ("500-1499", 500..<1500), ("500-", 500..<5000), ("-500", 4500..<5000),
            ("2000-9999", 2000..<5000), ("0-5000", 0..<5000),
        ]
    )
    func ranges(text: String, range: Range<Int>) async throws {
        try await withBlob(blob) { live in
            let response = try await live.request(target, headers: ["Range: bytes=\(text)"])
            #expect(response.status == 206)
            #expect(response["content-range"] == "bytes \(range.lowerBound)-\(range.upperBound - 1)/5000")
            #expect(response["content-length"] == "\(range.count)")
            #expect(response.body == Array(blob[range]))
            let head = try await live.request(target, method: "HEAD", headers: ["Range: bytes=\(text)"])
            #expect(head.status == 206)
            #expect(head["content-range"] == response["content-range"])
        }
    }

    @Test("a range outside of the blob is 416, with the size", arguments: ["5000-", "500-0", "-0"])
    func unsatisfiable(text: String) async throws {
        try await withBlob(blob) { live in
            let response = try await live.request(target, headers: ["Range: bytes=\(text)"])
            #expect(response.status == 416)
            #expect(response["content-range"] == "bytes */5000")
            #expect(response.errorCode == "RANGE_INVALID")
        }
    }

    @Test(
        "what is no range of this blob is answered with all of it",
        arguments: [
            ["Range: items=0-1"], ["Range: bytes=x-y"], ["Range: bytes=0-1", "Range: bytes=2-3"],
            ["Range: bytes=0-1", "If-Range: \"other\""], ["Range: bytes=0-1", "If-Range: W/\(etag)"],
            ["Range: bytes=0-1", "If-Range: Sun, 06 Nov 1994 08:49:37 GMT"],
            ["Range: bytes=" + (0..<17).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")],
        ]
    )
    func ignored(headers: [String]) async throws {
        try await withBlob(blob) { live in
            let response = try await live.request(target, headers: headers)
            #expect(response.status == 200)
            #expect(response.body == blob)
        }
    }

    @Test("a range for this version of the blob is served")
    func ifRange() async throws {
        try await withBlob(blob) { live in
            let response = try await live.request(target, headers: ["Range: bytes=1-2", "If-Range: \(etag)"])
            #expect(response.status == 206)
            #expect(response.body == Array(blob[1...2]))
        }
    }

    @Test("several ranges come as a multipart body of the length that was told")
    func multipart() async throws {
        try await withBlob(blob) { live in
            let response = try await live.request(target, headers: ["Range: bytes=0-1,4990-9999"])
            #expect(response.status == 206)
            let type = try #require(response["content-type"])
            let boundary = try #require(type.split(separator: "=").last.map(String.init))
            #expect(type == "multipart/byteranges; boundary=\(boundary)")
            func part(_ range: Range<Int>) -> [UInt8] {
                let head =
                    "\r\n--\(boundary)\r\nContent-Type: application/octet-stream\r\n"
                    + "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/5000\r\n\r\n"
                return Array(head.utf8) + blob[range]
            }
            #expect(response.body == part(0..<2) + part(4990..<5000) + Array("\r\n--\(boundary)--\r\n".utf8))
            #expect(response["content-range"] == nil)
        }
    }

    @Test("a client that holds the blob is told so")
    func notModified() async throws {
        try await withBlob(blob) { live in
            let response = try await live.request(target, headers: ["If-None-Match: \(etag)"])
            #expect(response.status == 304)
            #expect(response["etag"] == etag)
        }
    }

    @Test("a blob that no one has is unknown, and its HEAD too")
    func unknown() async throws {
        try await withServer { live in
            let response = try await live.request(target)
            #expect(response.status == 404)
            #expect(response.errorCode == "BLOB_UNKNOWN")
            #expect(try await live.request(target, method: "HEAD").status == 404)
        }
    }

    @Test("HEAD of a blob that is not stored tells the upstream's length, and starts nothing")
    func coldHead() async throws {
        try await withServer { live in
            live.registry.script.withLock {
                $0.lengths[digest] = .success(BlobLength(length: 5000, outcome: .miss))
            }
            let response = try await live.request(target, method: "HEAD")
            #expect(response.status == 200)
            #expect(response["content-length"] == "5000")
            let part = try await live.request(target, method: "HEAD", headers: ["Range: bytes=10-"])
            #expect(part["content-range"] == "bytes 10-4999/5000")
            #expect(!live.registry.calls.contains { $0.hasPrefix("blob ") })
        }
    }

    @Test("HEAD of a blob without a known length ends cleanly")
    func headWithoutLength() async throws {
        try await withServer { live in
            live.registry.script.withLock {
                $0.lengths[digest] = .success(BlobLength(length: nil, outcome: .miss))
            }
            let client = try await RawClient(live.address)
            for _ in 0..<2 {
                try await client.send("HEAD \(target) HTTP/1.1\r\nHost: m\r\n\r\n")
                let response = try await client.response(toHead: true)
                #expect(response.status == 200)
                #expect(response["content-length"] == nil)
            }
        }
    }

    @Test("a client that leaves in mid-body takes nothing with it")
    func leaving() async throws {
        let blob = noise(8 << 20)
        try await withBlob(blob) { live in
            for _ in 0..<20 {
                let client = try await RawClient(live.address)
                try await client.send("GET \(target) HTTP/1.1\r\nHost: m\r\n\r\n")
                _ = try await client.bytes(1000)
                client.reset()
            }
            #expect(try await live.request(target).body == blob)
        }
    }
}

@Suite("Blobs on their way", .timeLimit(.minutes(1)))
struct GrowingBlobTests {
    private func withGrowing(
        _ length: Int?,
        sendStall: Duration = .seconds(60),
        _ body: (LiveServer, FakeGrowingBlob) async throws -> Void
    ) async throws {
        try await withServer {
            $0.limits.sendStall = sendStall
        } body: { live in
            let blob = try FakeGrowingBlob(length: length)
            live.registry.script.withLock { $0.blobs[digest] = .success(.growing(blob, .miss)) }
            try await body(live, blob)
        }
    }

    private func ask(_ live: LiveServer, _ headers: String = "") async throws -> RawClient {
        let client = try await RawClient(live.address)
        try await client.send("GET \(target) HTTP/1.1\r\nHost: m\r\n\(headers)\r\n")
        return client
    }

    /// Reads the head of a response whose body is still to come.
    private func head(_ client: RawClient) async throws -> RawResponse {
        var bytes: [UInt8] = []
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) { bytes += try await client.bytes(1) }
        return try RawResponse(String(decoding: bytes, as: UTF8.self))
    }

    @Test("the head goes out before any byte has landed, and bytes as they land")
    func asTheyLand() async throws {
        let content = noise(30_000)
        try await withGrowing(content.count) { live, blob in
            let client = try await ask(live)
            let response = try await head(client)
            #expect(response.status == 200)
            #expect(response["content-length"] == "30000")
            #expect(response["cache-status"] == "tidepool; fwd=miss; stored")
            for start in stride(from: 0, to: content.count, by: 10_000) {
                blob.grow(by: Array(content[start..<start + 10_000]))
                #expect(try await client.bytes(10_000) == Array(content[start..<start + 10_000]))
            }
            blob.finish()
        }
    }

    @Test("a range is read from the growing blob as soon as its bytes are there")
    func range() async throws {
        let content = noise(1000)
        try await withGrowing(1000) { live, blob in
            let client = try await ask(live, "Range: bytes=100-199\r\n")
            let response = try await head(client)
            #expect(response.status == 206)
            #expect(response["content-range"] == "bytes 100-199/1000")
            blob.grow(by: Array(content[..<500]))
            #expect(try await client.bytes(100) == Array(content[100..<200]))
            // The response has ended although the blob has not: the connection is free for the next.
            try await client.send("GET /healthz HTTP/1.1\r\nHost: m\r\n\r\n")
            #expect(try await client.response().status == 200)
        }
    }

    @Test("several ranges of a growing blob are answered with the whole")
    func severalRanges() async throws {
        try await withGrowing(4) { live, blob in
            let client = try await ask(live, "Range: bytes=0-0,2-2\r\n")
            blob.grow(by: [1, 2, 3, 4])
            blob.finish()
            let response = try await client.response()
            #expect(response.status == 200)
            #expect(response.body == [1, 2, 3, 4])
        }
    }

    @Test("a range outside of a growing blob is 416")
    func unsatisfiable() async throws {
        try await withGrowing(4) { live, _ in
            let response = try await ask(live, "Range: bytes=4-\r\n").response()
            #expect(response.status == 416)
            #expect(response["content-range"] == "bytes */4")
        }
    }

    @Test("a failed fetch cuts the body short of its length")
    func failure() async throws {
        try await withGrowing(1000) { live, blob in
            let client = try await ask(live)
            blob.grow(by: [1, 2, 3])
            _ = try await head(client)
            #expect(try await client.bytes(3) == [1, 2, 3])
            blob.fail(.corrupt)
            #expect(try await client.rest() == [])
            #expect(live.log.all.contains { $0.contains("error=corrupt") })
        }
    }

    @Test("without a length the body is chunked, and ends only when the blob does")
    func chunked() async throws {
        try await withGrowing(nil) { live, blob in
            let client = try await ask(live)
            blob.grow(by: [1, 2, 3])
            blob.grow(by: [4])
            blob.finish()
            let response = try await client.response()
            #expect(response["content-length"] == nil)
            #expect(response.isComplete)
            #expect(response.body == [1, 2, 3, 4])
        }
    }

    @Test("a failed fetch of a chunked body never sends the last chunk")
    func chunkedFailure() async throws {
        try await withGrowing(nil) { live, blob in
            let client = try await ask(live)
            blob.grow(by: [1, 2, 3])
            _ = try await head(client)
            #expect(try await client.bytes(8) == Array("3\r\n".utf8) + [1, 2, 3] + Array("\r\n".utf8))
            blob.fail(.unavailable(reason: "truncated", retryAfter: nil))
            #expect(try await client.rest() == [])
        }
    }

    @Test("HTTP/1.0 has no chunks, so a body without a length is refused")
    func oldClient() async throws {
        try await withGrowing(nil) { live, _ in
            let client = try await RawClient(live.address)
            try await client.send("GET \(target) HTTP/1.0\r\n\r\n")
            #expect(try await client.response().status == 503)
        }
    }

    @Test("the reader is told when its client leaves, and the others go on")
    func leaving() async throws {
        try await withGrowing(6) { live, blob in
            let first = try await ask(live)
            let second = try await ask(live)
            _ = try await head(first)
            _ = try await head(second)
            #expect(blob.readers == 2)
            first.reset()
            try await eventually { blob.readers == 1 }
            blob.grow(by: [1, 2, 3, 4, 5, 6])
            blob.finish()
            #expect(try await second.bytes(6) == [1, 2, 3, 4, 5, 6])
        }
    }

    @Test("the reader is told when its client leaves in the middle of what has landed")
    func leavingInTheMiddle() async throws {
        try await withGrowing(64 << 20) { live, blob in
            let client = try await ask(live)
            blob.grow(by: [UInt8](repeating: 1, count: 32 << 20))
            _ = try await client.bytes(100_000)
            client.reset()
            try await eventually { blob.readers == 0 }
        }
    }

    @Test("a file that is shorter than was said cuts the body, and the server goes on")
    func shortFile() async throws {
        // The kernel sends nothing of what is not there, and NIO asks it again: the stall ends that.
        try await withGrowing(100, sendStall: .milliseconds(100)) { live, blob in
            let client = try await ask(live)
            blob.pretendToGrow(by: 100)
            _ = try await head(client)
            #expect(try await client.rest() == [])
            #expect(try await live.request("/healthz").status == 200)
        }
    }

    @Test("a fetch that ends while the client waits for its start is served from the store")
    func becameStored() async throws {
        try await withServer { live in
            let file = try TemporaryFile([7, 8, 9])
            live.registry.script.withLock { $0.blobs[digest] = .success(.stored(file, .collapsed)) }
            let response = try await live.request(target)
            #expect(response.body == [7, 8, 9])
            #expect(response["cache-status"] == "tidepool; fwd=miss; collapsed")
        }
    }
}
