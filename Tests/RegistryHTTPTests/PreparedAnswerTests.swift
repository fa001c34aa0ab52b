import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

/// Hits that are answered again from the same bytes.
@Suite("Prepared answers", .timeLimit(.minutes(1)))
struct PreparedAnswerTests {
    private static let digest = Digest(repeating: 0xcd)
    private static let target = "/v2/nginx/manifests/latest"

    /// Puts a manifest into the script, to be kept by the edge for a minute.
    private func publish(_ body: [UInt8], on live: LiveServer, outcome: CacheOutcome = .hit) {
        let head = ManifestHead(digest: Self.digest, mediaType: MediaType.ociIndex, size: body.count, outcome: outcome)
        live.registry.script.withLock { script in
            script.cachedManifests["latest"] = FakeRegistry.Manifest(head: head, content: .bytes(body))
            script.lifetime = .seconds(60)
        }
    }

    private func questions(of live: LiveServer) -> Int {
        live.registry.calls.count { $0.hasPrefix("cachedManifest") }
    }

    private func request(_ method: String = "GET", _ headers: String = "") -> String {
        "\(method) \(Self.target) HTTP/1.1\r\nHost: m\r\n\(headers)\r\n"
    }

    @Test(
        "a second request is answered as the first was, without a question",
        arguments: ["GET", "HEAD"],
        [1, 40_000]
    )
    func same(method: String, size: Int) async throws {
        try await withServer { live in
            let body = [UInt8](repeating: 5, count: size)
            publish(body, on: live)
            let client = try await RawClient(live.address)
            var responses: [RawResponse] = []
            for _ in 0..<2 {
                try await client.send(request(method))
                responses.append(try await client.response(toHead: method == "HEAD"))
            }
            #expect(questions(of: live) == 1)
            #expect(responses.allSatisfy { $0.status == 200 && $0.body == (method == "HEAD" ? [] : body) })
            let varying = ["x-request-id", "date"]
            let kept = responses.map {
                $0.headers.filter { !varying.contains($0.name) }.map { "\($0.name): \($0.value)" }
            }
            #expect(kept[0] == kept[1])
            #expect(kept[0].contains("docker-content-digest: \(Self.digest)"))
            #expect(responses[0].values("x-request-id") != responses[1].values("x-request-id"))
            #expect(responses.allSatisfy { $0.values("date").count == 1 })
        }
    }

    @Test("GET and HEAD have answers of their own")
    func methods() async throws {
        try await withServer { live in
            publish([1, 2, 3], on: live)
            let client = try await RawClient(live.address)
            for _ in 0..<2 {
                try await client.send(request("HEAD"))
                #expect(try await client.response(toHead: true).values("content-length") == ["3"])
                try await client.send(request())
                #expect(try await client.response().body == [1, 2, 3])
            }
            #expect(questions(of: live) == 2)
        }
    }

    @Test("what was committed since ends it")
    func revision() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            for number in 1...3 as ClosedRange<UInt8> {
                publish([number], on: live)
                live.registry.script.withLock { $0.revision = Int(number) }
                try await client.send(request())
                #expect(try await client.response().body == [number])
            }
        }
    }

    @Test("a small blob is sent again as it was, but for a range of it, and for as long as the registry has it")
    func smallBlob() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            func body(_ headers: String = "") async throws -> [UInt8] {
                try await client.send("GET /v2/nginx/blobs/\(Self.digest) HTTP/1.1\r\nHost: m\r\n\(headers)\r\n")
                return try await client.response().body
            }
            // What was read may have been bad, and replaced since: what is sent is what the file has now.
            for number in 1...3 as ClosedRange<UInt8> {
                let file = try TemporaryFile([number, 7, 8])
                live.registry.script.withLock { script in
                    script.cachedBlobs[Self.digest] = file
                    script.revision = Int(number)
                }
                #expect(try await body() == [number, 7, 8])
                #expect(try await body() == [number, 7, 8])
                #expect(try await body("Range: bytes=1-\r\n") == [7, 8])
            }
            live.registry.script.withLock { script in
                script.cachedBlobs = [:]
                script.revision = 4
            }
            try await client.send("GET /v2/nginx/blobs/\(Self.digest) HTTP/1.1\r\nHost: m\r\n\r\n")
            #expect(try await client.response().status == 404)
        }
    }

    @Test("what is not to be kept, or is stale, is asked for each time", arguments: [false, true])
    func fleeting(isStale: Bool) async throws {
        try await withServer { live in
            let outcome: CacheOutcome = isStale ? .stale(reason: "dns", checkedAt: WallTime(milliseconds: 0)) : .hit
            publish([1], on: live, outcome: outcome)
            if !isStale { live.registry.script.withLock { $0.lifetime = .zero } }
            let client = try await RawClient(live.address)
            for _ in 0..<2 {
                try await client.send(request())
                #expect(try await client.response().status == 200)
            }
            #expect(questions(of: live) == 2)
        }
    }

    @Test(
        "what asks for more than the target is answered for itself",
        arguments: [
            ("If-None-Match: \"\(Self.digest)\"\r\n", 304), ("Via: 1.1 tidepool-test-instance\r\n", 508),
            ("Host: other\r\n", 400), ("Content-Length: 1\r\n", 400), ("hOsT: other\r\n", 400),
        ]
    )
    func special(headers: String, status: Int) async throws {
        try await withServer { live in
            publish([1], on: live)
            let client = try await RawClient(live.address)
            try await client.send(request())
            #expect(try await client.response().status == 200)
            try await client.send(request("GET", headers))
            #expect(try await client.response().status == status)
        }
    }

    @Test("a client's own request ID is told back, and is in the log")
    func requestID() async throws {
        try await withServer { live in
            publish([1], on: live)
            let client = try await RawClient(live.address)
            for number in 0..<2 {
                try await client.send(request("GET", "X-Request-Id: mine-\(number)\r\n"))
                #expect(try await client.response().values("x-request-id") == ["mine-\(number)"])
            }
            try await eventually { live.log.all.contains { $0.contains("request_id=mine-1") } }
            let lines = live.log.all.filter { $0.contains("request_id=mine-") }
            #expect(lines.count == 2)
            for part in ["info request bytes=1 cache=hit client=127.0.0.1", "path=\(Self.target)", "status=200"] {
                #expect(lines.allSatisfy { $0.contains(part) }, "\(part)")
            }
        }
    }

    @Test("they are counted as any other answer")
    func counted() async throws {
        try await withServer { live in
            publish([1, 2], on: live)
            let client = try await RawClient(live.address)
            for _ in 0..<5 {
                try await client.send(request())
                _ = try await client.response()
            }
            let text = try await live.request("/metrics").text
            let labels = #"upstream="docker.io",kind="manifest",method="GET",status="200",cache="hit""#
            #expect(text.contains("tidepool_requests_total{\(labels)} 5\n"))
            #expect(text.contains("tidepool_sent_bytes_total{cache=\"hit\"} 10\n"))
            #expect(text.contains("tidepool_request_seconds_count{kind=\"manifest\",cache=\"hit\"} 5\n"))
        }
    }

    @Test("the last request of a connection gets its answer, and then the connection ends")
    func last() async throws {
        try await withServer { live in
            publish([UInt8](repeating: 3, count: 50_000), on: live)
            let client = try await RawClient(live.address)
            try await client.send(request())
            #expect(try await client.response().status == 200)
            try await client.send(request("GET", "Connection: close\r\n"))
            let response = try await client.response()
            #expect(response.body.count == 50_000 && response.values("connection") == ["close"])
            #expect(try await client.rest() == [])
        }
    }

    @Test("pipelined requests are answered in their order, whichever way each is answered")
    func pipelined() async throws {
        try await withServer { live in
            publish([UInt8](repeating: 3, count: 100_000), on: live)
            let gate = Gate()
            live.registry.script.withLock { $0.gate = gate }
            let client = try await RawClient(live.address)
            try await client.send(request())
            #expect(try await client.response().status == 200)
            let slow = "GET /v2/nginx/manifests/none HTTP/1.1\r\nHost: m\r\n\r\n"
            try await client.send(request() + request() + slow + request() + "GET /healthz HTTP/1.1\r\nHost: m\r\n\r\n")
            client.closeOutput()
            await gate.arrival()
            gate.open()
            var statuses: [Int] = []
            for _ in 0..<5 { statuses.append(try await client.response().status) }
            #expect(statuses == [200, 200, 404, 200, 200])
            #expect(try await client.rest() == [])
        }
    }
}
