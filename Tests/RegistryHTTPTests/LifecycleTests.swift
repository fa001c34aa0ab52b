import Locking
import MirrorCore
import NIOCore
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
            cache: FakeCache(),
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

    @Test("while draining everything is answered, not ready is said, and connections end")
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

            let used = try await RawClient(live.address)
            async let drained: Void = live.server.drain(within: .seconds(30))
            try await eventually { !live.server.isReady }
            let probe = try await live.request("/readyz")
            #expect(probe.status == 503 && probe.text == "draining\n")
            #expect(try await live.request("/healthz").status == 200)
            for client in [try await RawClient(live.address), used] {
                try await client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
                let response = try await client.response()
                #expect(response.status == 200 && response["connection"] == "close")
                #expect(try await client.rest() == [])
            }
            blob.grow(by: [4, 5, 6])
            blob.finish()
            #expect(try await busy.rest() == [4, 5, 6])
            #expect(try await idle.rest() == [])
            await drained
            await #expect(throws: RawClient.Closed.self) { _ = try await RawClient(live.address) }
        }
    }

    @Test("draining takes requests until nothing was under way for the grace")
    func grace() {
        let activity = Activity()
        let start = NIODeadline.now()
        #expect(activity.isQuiet(for: .zero, since: start, at: start))
        #expect(!activity.isQuiet(for: .seconds(1), since: start, at: start))
        #expect(activity.isQuiet(for: .seconds(1), since: start, at: start + .seconds(1)))
        activity.began()
        activity.began()
        activity.ended()
        #expect(!activity.isQuiet(for: .zero, since: start, at: start + .hours(1)))
        activity.ended()
        let end = NIODeadline.now()
        #expect(!activity.isQuiet(for: .hours(1), since: start, at: end + .minutes(59)))
        #expect(activity.isQuiet(for: .hours(1), since: start, at: end + .hours(1)))
    }

    @Test("every way in which a response ends is an end for draining")
    func activityEnds() async throws {
        try await withServer { live in
            let blob = try FakeGrowingBlob(length: 6)
            let broken = try FakeGrowingBlob(length: 6)
            broken.fail(.corrupt)
            live.registry.script.withLock {
                $0.blobs[digest] = .success(.growing(blob, .miss))
                $0.blobs[Digest(repeating: 2)] = .success(.growing(broken, .miss))
            }
            #expect(try await live.request("/v2/").status == 200)
            #expect(try await live.request("/v2/", method: "PUT").status == 405)
            _ = try await live.request("/v2/a/blobs/\(Digest(repeating: 2))")
            let leaver = try await RawClient(live.address)
            try await leaver.send("GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n")
            _ = try await leaver.bytes(1)
            leaver.reset()
            // Were one still counted, this would take the half hour, and fail the suite's time limit.
            await live.server.drain(within: .seconds(1800))
        }
    }

    @Test("draining that is cut short ends at once, and cuts what is under way")
    func cutShort() async throws {
        try await withServer { live in
            let blob = try FakeGrowingBlob(length: 6)
            live.registry.script.withLock { $0.blobs[digest] = .success(.growing(blob, .miss)) }
            let client = try await RawClient(live.address)
            try await client.send("GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n")
            _ = try await client.bytes(1)
            async let drained: Void = live.server.drain(within: .seconds(1800), grace: .seconds(1800))
            try await eventually { !live.server.isReady }
            live.server.cutShort()
            _ = try await client.rest()
            await drained
            #expect(blob.readers == 0)
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
            async let drained: Void = live.server.drain(within: .seconds(30))
            try await eventually { !live.server.isReady }
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
