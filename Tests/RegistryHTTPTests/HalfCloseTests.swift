import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

private let digest = Digest(repeating: 0xab)

@Suite("Clients that close their side", .timeLimit(.minutes(1)))
struct HalfCloseTests {
    private func request(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: m\r\n\r\n" }

    @Test("a growing blob is sent to its end, then the connection closes")
    func growing() async throws {
        try await withServer { live in
            let blob = try FakeGrowingBlob(length: 6)
            live.registry.script.withLock { $0.blobs[digest] = .success(.growing(blob, .miss)) }
            let client = try await RawClient(live.address)
            try await client.send(request("/v2/a/blobs/\(digest)"))
            client.closeOutput()
            blob.grow(by: [1, 2, 3])
            while try await client.bytes(1) != [3] {}
            blob.grow(by: [4, 5, 6])
            blob.finish()
            #expect(try await client.rest() == [4, 5, 6])
        }
    }

    @Test("a large stored blob is sent to its end")
    func large() async throws {
        try await withServer { live in
            let bytes = [UInt8](repeating: 7, count: 32 << 20)
            let file = try TemporaryFile(bytes)
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let client = try await RawClient(live.address)
            try await client.send(request("/v2/a/blobs/\(digest)"))
            client.closeOutput()
            #expect(try await client.response().body == bytes)
            #expect(try await client.rest() == [])
        }
    }

    @Test("an answer that waits for the core is sent, and says that the connection closes")
    func waiting() async throws {
        try await withServer { live in
            let gate = Gate()
            live.registry.script.withLock { $0.gate = gate }
            let client = try await RawClient(live.address)
            try await client.send(request("/v2/a/blobs/\(digest)"))
            await gate.arrival()
            client.closeOutput()
            gate.open()
            #expect(try await client.response().status == 404)
            #expect(try await client.rest() == [])
        }
    }

    @Test("pipelined requests are all answered")
    func pipelined() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send((0..<20).map { _ in request("/v2/") }.joined())
            client.closeOutput()
            for _ in 0..<20 { #expect(try await client.response().status == 200) }
            #expect(try await client.rest() == [])
        }
    }

    @Test(
        "a connection without a whole request is closed at once",
        arguments: ["", "GET /v2/ HTTP/1.1\r\nHo", "GET /v2/ HTTP/1.1\r\nHost: m\r\n"]
    )
    func unfinished(sent: String) async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send(sent)
            client.closeOutput()
            #expect(try await client.rest() == [])
            #expect(live.registry.calls == [])
        }
    }

    @Test("an idle connection is closed at once")
    func idle() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send(request("/v2/"))
            #expect(try await client.response().status == 200)
            client.closeOutput()
            #expect(try await client.rest() == [])
        }
    }

    @Test("a TLS client that says close_notify gets its answer to the end")
    func closeNotify() async throws {
        let fixture = try TLSFixture(.first)
        try await withServer(tls: fixture.files) { live in
            let bytes = [UInt8](repeating: 7, count: 8 << 20)
            let file = try TemporaryFile(bytes)
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let answer = try await tlsExchange(
                request("/v2/a/blobs/\(digest)"),
                with: live.address,
                trusting: TLSFixture.Pair.first.certificate,
                closingOutput: true
            )
            #expect(answer.suffix(bytes.count).elementsEqual(bytes))
        }
    }
}
