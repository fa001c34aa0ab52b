import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

private let digest = Digest(repeating: 0xab)

@Suite("Start and drain", .timeLimit(.minutes(1)))
struct LifecycleTests {
    private func server(_ addresses: String...) -> RegistryServer {
        var options = RegistryServer.Options(
            listeners: addresses.map { RegistryServer.Listener(address: $0) },
            instanceID: "x"
        )
        options.eventLoops = 1
        return RegistryServer(
            options: options,
            registry: FakeRegistry(),
            administration: FakeAdministration(),
            metrics: Metrics(),
            logger: LogLines().logger
        )
    }

    @Test("readiness follows the switch")
    func readiness() async throws {
        try await withServer { live async throws in
            live.server.isReady = false
            #expect(try await live.request("/readyz").status == 503)
            #expect(try await live.request("/healthz").status == 200)
            live.server.isReady = true
            #expect(try await live.request("/readyz").status == 200)
        }
    }

    @Test("several addresses are served, IPv6 too")
    func severalAddresses() async throws {
        let server = server("127.0.0.1:0", "[::1]:0", ":0", "localhost:0")
        let addresses = try await server.start()
        #expect(addresses.count == 4)
        #expect(addresses[1].hasPrefix("[::1]:"))
        await server.drain(within: .zero)
    }

    @Test("a port that is taken is an error that names it, and nothing stays bound")
    func portTaken() async throws {
        try await withServer { live in
            let second = server("127.0.0.1:0", live.address)
            await #expect(throws: ListenError.portTaken(live.address)) { try await second.start() }
        }
    }

    @Test(
        "an address that cannot be is an error that says why",
        arguments: [
            ("5000", .invalidAddress("5000")), ("127.0.0.1:x", .invalidAddress("127.0.0.1:x")),
            ("127.0.0.1:65536", .invalidAddress("127.0.0.1:65536")), ("::1:5000", .invalidAddress("::1:5000")),
            ("192.0.2.1:0", .notAvailable("192.0.2.1:0")),
        ] as [(String, ListenError)]
    )
    func badAddresses(address: String, expected: ListenError) async {
        await #expect(throws: expected) { try await server(address).start() }
    }

    @Test("draining lets a response in progress end, and closes idle connections")
    func drain() async throws {
        try await withServer { live in
            let blob = try FakeGrowingBlob(length: 6)
            live.registry.script.withLock { $0.blobs[digest] = .success(.growing(blob, .miss)) }
            let idle = try await RawClient(live.address)
            try await idle.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
            _ = try await idle.response()
            let busy = try await RawClient(live.address)
            try await busy.send("GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n")
            blob.grow(by: [1, 2, 3])
            // The first bytes are out, so the response is in progress.
            while try await busy.bytes(1) != [3] {}

            async let drained: Void = live.server.drain(within: .seconds(30))
            #expect(try await idle.rest() == [])
            await #expect(throws: RawClient.Closed.self) { _ = try await RawClient(live.address) }
            blob.grow(by: [4, 5, 6])
            blob.finish()
            #expect(try await busy.rest() == [4, 5, 6])
            await drained
        }
    }

    @Test("a response that begins while draining says that the connection closes")
    func drainBeforeTheHead() async throws {
        try await withServer { live in
            let gate = Gate()
            live.registry.script.withLock { $0.gate = gate }
            let client = try await RawClient(live.address)
            try await client.send("GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n")
            await gate.arrival()
            let idle = try await RawClient(live.address)
            async let drained: Void = live.server.drain(within: .seconds(30))
            // The idle connection's end tells that the draining has reached the connections.
            _ = try await idle.rest()
            gate.open()
            let response = try await client.response()
            #expect(response.status == 404)
            #expect(response["connection"] == "close")
            #expect(try await client.rest() == [])
            await drained
        }
    }

    @Test("what does not end in time is cut")
    func drainDeadline() async throws {
        try await withServer { live in
            let blob = try FakeGrowingBlob(length: 6)
            live.registry.script.withLock { $0.blobs[digest] = .success(.growing(blob, .miss)) }
            let client = try await RawClient(live.address)
            try await client.send("GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n")
            _ = try await client.bytes(1)
            await live.server.drain(within: .milliseconds(50))
            _ = try await client.rest()
            #expect(blob.readers == 0)
        }
    }
}
