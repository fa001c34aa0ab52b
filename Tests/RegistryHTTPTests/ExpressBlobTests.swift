import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

/// Connections that come for one blob.
@Suite("Blobs on the express lane", .timeLimit(.minutes(1)))
struct ExpressBlobTests {
    /// A machine under load takes its time between a client's calls.
    private func patient(_ options: inout RegistryServer.Options) { options.expressWait = .seconds(60) }

    /// Publishes a blob and has it asked for once with a connection; returns its target and the response.
    private func prepare(_ blob: any StoredFile, on live: LiveServer) async throws -> (String, RawResponse) {
        let digest = Digest(repeating: 0xab)
        live.registry.script.withLock { $0.cachedBlobs[digest] = blob }
        let target = "/v2/nginx/blobs/\(digest)"
        return (target, try await live.request(target, headers: ["Connection: close"]))
    }

    private static let blob = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 >> 8 &+ $0) }

    @Test(
        "a blob that is no longer than a socket takes is sent here, and the rest of it by an event loop",
        arguments: [Int.max, 0, 1, 100, 5000, 299_999]
    )
    func blob(sentAtOnce: Int) async throws {
        try await withServer {
            patient(&$0)
            $0.longestExpressSend = sentAtOnce
        } body: { live in
            let (target, first) = try await prepare(TemporaryFile(Self.blob), on: live)
            let client = try await RawClient(live.address)
            try await client.send("GET \(target) HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
            client.closeOutput()
            let response = try await client.response()
            #expect(
                first.body == Self.blob && response.body == Self.blob && !RawResponse.haveSameThread(first, response)
            )
            #expect(response.values("connection") == ["close"])
            #expect(try await client.rest() == [])
            try await eventually {
                live.log.all.count { $0.contains("bytes=300000 ") && $0.contains("cache=hit") } == 2
            }
            let text = try await live.request("/metrics").text
            #expect(text.contains("tidepool_sent_bytes_total{cache=\"hit\"} 600000\n"))
        }
    }

    @Test(
        "a blob that is gone, is too large, or is not in memory, is an event loop's",
        arguments: ["gone", "large", "disk"]
    )
    func declinedBlob(reason: String) async throws {
        let holds = Locked(true)
        try await withServer {
            patient(&$0)
            $0.pageCache.holds = { _, _, _ in holds.withLock { $0 } }
        } body: { live in
            let size = reason == "large" ? ExpressAnswers.largestFile + 1 : 300_000
            let body = [UInt8](repeating: 1, count: size)
            let (target, first) = try await prepare(TemporaryFile(body), on: live)
            if reason == "gone" {
                live.registry.script.withLock { script in
                    script.cachedBlobs = [:]
                    script.revision += 1
                }
            }
            if reason == "disk" { holds.withLock { $0 = false } }
            let response = try await live.request(target, headers: ["Connection: close"])
            #expect(RawResponse.haveSameThread(first, response))
            if reason == "gone" {
                #expect(response.status == 404)
            } else {
                #expect(response.body == body)
            }
        }
    }

    @Test("a file that was cut short since cuts the connection")
    func shortBlob() async throws {
        try await withServer(patient) { live in
            let (target, first) = try await prepare(TemporaryFile(Self.blob), on: live)
            #expect(first.status == 200)
            let liar = try LyingFile(Array(Self.blob.prefix(1000)), size: Self.blob.count)
            live.registry.script.withLock { $0.cachedBlobs[Digest(repeating: 0xab)] = liar }
            let client = try await RawClient(live.address)
            try await client.send("GET \(target) HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
            let received = try await client.rest()
            #expect(received.count > 1000 && received.count < 2000)
            try await eventually { live.log.all.contains { $0.contains("error=read_failed") } }
        }
    }

    @Test("a client that leaves in the middle of a blob is noted with what it got, and gives its place back")
    func leftBlob() async throws {
        try await withServer {
            patient(&$0)
            $0.longestExpressSend = 1000
            $0.limits.connections = 2
        } body: { live in
            // More than a socket holds, so that the client leaves before the end.
            let body = [UInt8](repeating: 1, count: ExpressAnswers.largestFile)
            let (target, _) = try await prepare(TemporaryFile(body), on: live)
            for _ in 0..<5 {
                let client = try await RawClient(live.address)
                try await client.send("GET \(target) HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
                client.reset()
            }
            try await eventually { live.server.context.connections.count == 0 }
            let lines = live.log.all.filter { $0.contains("info request") }
            #expect(lines.allSatisfy { $0.contains("status=200") })
            #expect(lines.count { !$0.contains("bytes=\(body.count) ") } == lines.count { $0.contains("error=") })
            #expect(try await live.request(target, headers: ["Connection: close"]).body == body)
        }
    }

    @Test("what leaves memory after the lane has begun is read ahead by an event loop")
    func evicted() async throws {
        let calls = Locked(0)
        try await withServer {
            patient(&$0)
            $0.longestExpressSend = 1000
            // The event loop's is the first call, for the first request; the lane's is the second.
            $0.pageCache.holds = { _, _, _ in
                calls.withLock { calls in
                    calls += 1
                    return calls <= 2
                }
            }
        } body: { live in
            let (target, first) = try await prepare(TemporaryFile(Self.blob), on: live)
            let response = try await live.request(target, headers: ["Connection: close"])
            #expect(
                first.body == Self.blob && response.body == Self.blob && !RawResponse.haveSameThread(first, response)
            )
            #expect(calls.withLock { $0 } > 2)
        }
    }
}
