import Foundation
import Locking
import MirrorCore
import OCI
import Posix
import Testing

@testable import RegistryHTTP

private let digest = Digest(repeating: 0xab)

@Suite("Stored files that break", .timeLimit(.minutes(1)))
struct BrokenFileTests {
    private let request = "GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n"

    @Test(
        "a file cut short while it is sent cuts the connection at once, and the log names the digest",
        arguments: [48 << 20, (48 << 20) + 12_345, 1000, 0]
    )
    func truncated(size: Int) async throws {
        try await withServer { live in
            let file = try TemporaryFile([UInt8](repeating: 7, count: 64 << 20))
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let client = try await RawClient(live.address)
            try await client.send(request)
            // The client takes no more, so most windows are still to come.
            _ = try await client.bytes(1)
            ftruncate(file.descriptor, off_t(size))
            #expect(try await client.response().isComplete == false)
            try await eventually { live.log.all.contains { $0.contains("error=read_failed") } }
            #expect(live.log.all.contains { $0.hasPrefix("error stored content") && $0.contains("\(digest)") })
            #expect(try await live.request("/v2/").status == 200)
        }
    }

    @Test("through TLS too a file that ends before it should cuts the connection", arguments: [false, true])
    func shortThroughTLS(isAtHand: Bool) async throws {
        let fixture = try TLSFixture(.first)
        func configure(_ options: inout RegistryServer.Options) {
            if !isAtHand { options.pageCache.append = { _, _, _, _ in false } }
        }
        try await withServer(configure, tls: fixture.files) { live in
            let bytes = [UInt8](repeating: 7, count: 500_000)
            let file = try LyingFile(bytes, size: 700_000)
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let answer = try await tlsExchange(
                "GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
                with: live.address,
                trusting: TLSFixture.Pair.first.certificate
            )
            #expect(answer.count > 100_000 && answer.count < 502_000)
            try await eventually { live.log.all.contains { $0.contains("error=read_failed") } }
        }
    }

    @Test("through TLS what memory does not have is read from the disk")
    func slowThroughTLS() async throws {
        let fixture = try TLSFixture(.first)
        func configure(_ options: inout RegistryServer.Options) {
            options.pageCache.append = { _, _, _, _ in false }
        }
        try await withServer(configure, tls: fixture.files) { live in
            let bytes = (0..<700_001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let file = try TemporaryFile(bytes)
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let answer = try await tlsExchange(
                "GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
                with: live.address,
                trusting: TLSFixture.Pair.first.certificate
            )
            #expect(answer.suffix(bytes.count).elementsEqual(bytes))
        }
    }

    @Test("a disk that fails while it is read ahead cuts the connection, and is logged")
    func failingDisk() async throws {
        try await withServer {
            $0.pageCache.holds = { _, _, _ in false }
            $0.pageCache.readAhead = { _, offset, _ in
                if offset > 0 { throw SystemCallError(call: "readahead", errno: EIO) }
            }
        } body: { live in
            let file = try TemporaryFile([UInt8](repeating: 7, count: 2 * FileSender.regionWindow))
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let client = try await RawClient(live.address)
            try await client.send(request)
            let response = try await client.response()
            #expect(!response.isComplete)
            #expect(response.body.count == FileSender.regionWindow)
            try await eventually { live.log.all.contains { $0.contains("error=read_failed") } }
            let errors = live.log.all.filter { $0.hasPrefix("error ") }
            #expect(errors.contains { $0.contains("Input/output error") && $0.contains("\(digest)") })
        }
    }
}
