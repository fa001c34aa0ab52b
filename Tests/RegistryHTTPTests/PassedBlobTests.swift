import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

private let digest = Digest(repeating: 0xab)
private let target = "/v2/library/nginx/blobs/\(digest)"

@Suite("Blobs that are passed through", .timeLimit(.minutes(1)))
struct PassedBlobTests {
    private func withPassed(
        _ length: Int?,
        sendStall: Duration = .seconds(60),
        _ body: (LiveServer, FakeGrowingBlob) async throws -> Void
    ) async throws {
        try await withServer {
            $0.limits.sendStall = sendStall
        } body: { live in
            let blob = try FakeGrowingBlob(length: length, isPassed: true)
            live.registry.script.withLock { $0.blobs[digest] = .success(.growing(blob, .passed)) }
            try await body(live, blob)
        }
    }

    private func ask(_ live: LiveServer) async throws -> RawClient {
        let client = try await RawClient(live.address)
        try await client.send("GET \(target) HTTP/1.1\r\nHost: m\r\n\r\n")
        return client
    }

    @Test("bytes that are in no file are sent in order, and the answer does not say that it is stored")
    func whole() async throws {
        let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        try await withPassed(content.count) { live, blob in
            async let response = live.request(target)
            for start in stride(from: 0, to: content.count, by: 100_000) {
                blob.grow(by: Array(content[start..<start + 100_000]))
            }
            blob.finish()
            let answer = try await response
            #expect(answer.body == content)
            #expect(answer["cache-status"] == "tidepool; fwd=miss")
        }
    }

    @Test(
        "without a length they are sent in chunks, and after a failure there is no last one",
        arguments: [true, false]
    )
    func chunked(isRight: Bool) async throws {
        try await withPassed(nil) { live, blob in
            let client = try await ask(live)
            blob.grow(by: [1, 2, 3])
            var bytes: [UInt8] = []
            while bytes.suffix(4) != [2, 3, 13, 10] { bytes += try await client.bytes(1) }
            if isRight { blob.finish() } else { blob.fail(.corrupt) }
            let end = Array("0\r\n\r\n".utf8)
            if isRight { #expect(try await client.bytes(end.count) == end) }
            if !isRight { #expect(try await client.rest() == []) }
        }
    }

    @Test("a client that takes nothing is cut, and its reader is told")
    func stalledClient() async throws {
        try await withPassed(64 << 20, sendStall: .milliseconds(200)) { live, blob in
            let client = try await ask(live)
            blob.grow(by: [UInt8](repeating: 1, count: 32 << 20))
            try await eventually { blob.wasLeft }
            withExtendedLifetime(client) {}
        }
    }
}
