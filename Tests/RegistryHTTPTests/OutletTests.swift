import Locking
import MirrorCore
import NIOCore
import OCI
import Testing

@testable import RegistryHTTP

/// What goes straight to a socket, and what has to wait for it.
@Suite("The outlet of a connection", .timeLimit(.minutes(1)))
struct OutletTests {
    private static let large = Digest(repeating: 1)
    private static let small = Digest(repeating: 2)
    /// More than a socket and its peer hold.
    private static let largeBody = [UInt8](repeating: 7, count: 8 << 20)

    private func request(_ digest: Digest, _ headers: String = "") -> String {
        "GET /v2/nginx/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\(headers)\r\n"
    }

    private func publish(on live: LiveServer) throws {
        let (large, small) = (try TemporaryFile(Self.largeBody), try TemporaryFile([1, 2, 3]))
        live.registry.script.withLock { $0.cachedBlobs = [Self.large: large, Self.small: small] }
    }

    @Test("answers behind one that fills the socket come after it")
    func order() async throws {
        try await withServer { live in
            try publish(on: live)
            let client = try await RawClient(live.address)
            try await client.send(request(Self.small))
            #expect(try await client.response().body == [1, 2, 3])
            try await client.send(
                request(Self.large) + request(Self.small) + request(Self.large, "Range: bytes=1-3\r\n")
                    + request(Self.small)
            )
            // The server has filled the socket by then.
            try await Task.sleep(for: .milliseconds(200))
            let response = try await client.response()
            #expect(response.body.count == Self.largeBody.count && response.isComplete)
            #expect(try await client.response().body == [1, 2, 3])
            #expect(try await client.response().body == Array(Self.largeBody[1...3]))
            #expect(try await client.response().body == [1, 2, 3])
        }
    }

    @Test("what a response that fills the socket has sent is noted when the client has taken it")
    func noted() async throws {
        try await withServer { live in
            try publish(on: live)
            let client = try await RawClient(live.address)
            try await client.send(request(Self.large))
            try await Task.sleep(for: .milliseconds(200))
            #expect(!live.log.all.contains { $0.contains("info request") })
            #expect(try await client.response().body.count == Self.largeBody.count)
            try await eventually { live.log.all.contains { $0.contains("bytes=\(Self.largeBody.count) ") } }
        }
    }

    @Test(
        "a client that leaves before its answer is sent is noted once",
        arguments: [large, small],
        ["", "Range: bytes=0-1\r\n"]
    )
    func left(digest: Digest, headers: String) async throws {
        try await withServer { live in
            try publish(on: live)
            let client = try await RawClient(live.address)
            // The event loop learns of it by what it sends.
            live.registry.script.withLock { $0.whenLookedFor = { client.reset() } }
            try await client.send(request(digest, headers))
            let context = live.server.context
            try await eventually { live.log.all.contains { $0.contains("info request") } }
            try await eventually { context.connections.count == 0 }
            #expect(live.log.all.count { $0.contains("info request") } == 1)
            // Nothing is under way, and nothing was counted off twice.
            #expect(context.activity.isQuiet(for: .zero, since: .now(), at: .now()))
        }
    }

    @Test("a client that asks for more than the socket holds, and does not read, waits, and loses nothing")
    func many() async throws {
        try await withServer { live in
            let bodies = (0..<4).map { [UInt8](repeating: $0, count: 16_000) }
            for (number, body) in bodies.enumerated() {
                let file = try TemporaryFile(body)
                live.registry.script.withLock { $0.cachedBlobs[Digest(repeating: UInt8(number))] = file }
            }
            let client = try await RawClient(live.address)
            let requests = (0..<400).map { request(Digest(repeating: UInt8($0 % 4))) }
            async let sent: Void = client.send(requests.joined())
            try await Task.sleep(for: .milliseconds(300))
            #expect(live.log.all.count { $0.contains("info request") } < 300)
            for number in 0..<400 { #expect(try await client.response().body == bodies[number % 4]) }
            try await sent
        }
    }
}
