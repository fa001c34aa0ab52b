import Foundation
import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

@Suite("Hostile and broken clients", .timeLimit(.minutes(1)))
struct HostileTests {
    @Test(
        "what is not a clean request is refused, and the connection closed",
        arguments: [
            ("garbage\r\n\r\n", 400),
            ("GET / HTTP/9.9\r\nHost: m\r\n\r\n", 400),
            ("GET /\r\n\r\n", 400),
            ("get / HTTP/1.1\r\nHost: m\r\n\r\n", 400),
            ("BREW / HTTP/1.1\r\nHost: m\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nX : y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\n: y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nX: a\u{0}b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\n\r\nhello", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 05\r\n\r\nhello", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nContent-Length: -1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 0, 0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
            ("POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: m\r\nContent-Length: 1000000\r\n\r\nabc", 405),
            ("PUT /v2/a/manifests/b HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 405),
            ("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", 405),
        ]
    )
    func refused(request: String, status: Int) async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send(request)
            let response = try await client.response()
            #expect(response.status == status)
            #expect(response["connection"] == "close")
            #expect(try await client.rest() == [])
            #expect(live.registry.calls == [])
            try await expectAlive(live)
        }
    }

    @Test("a length of zero is no body, however it is written", arguments: ["0", "00", "0000"])
    func emptyBody(length: String) async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            for _ in 0..<2 {
                try await client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\nContent-Length: \(length)\r\n\r\n")
                #expect(try await client.response().status == 200)
            }
        }
    }

    @Test("a header continued on the next line is refused")
    func foldedHeader() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send("GET / HTTP/1.1\r\nHost: m\r\nX: a\r\n b\r\n\r\n")
            #expect(try await client.response().status == 400)
        }
    }

    @Test("a head above its bound is 431, whether it ends or not")
    func largeHead() async throws {
        try await withServer { live async throws in
            let ending = try await RawClient(live.address)
            let large = String(repeating: "x", count: 33 << 10)
            try await ending.send("GET / HTTP/1.1\r\nHost: m\r\nX: \(large)\r\n\r\n")
            #expect(try await ending.response().status == 431)
            let endless = try await RawClient(live.address)
            try await endless.send("GET /")
            // The server may close before all of it is sent.
            try? await endless.send(String(repeating: "a", count: 1 << 20))
            #expect(try await endless.response().status == 431)
            try await expectAlive(live)
        }
    }

    @Test("more than a hundred headers are 431")
    func manyHeaders() async throws {
        try await withServer { live async throws in
            let headers = (0..<101).map { "X-\($0): y" }
            #expect(try await live.request("/v2/", headers: headers).status == 431)
            #expect(try await live.request("/v2/", headers: Array(headers.prefix(90))).status == 200)
        }
    }

    @Test("a URI above its bound is 414")
    func longURI() async throws {
        try await withServer { live async throws in
            let name = String(repeating: "a", count: 8 << 10)
            #expect(try await live.request("/v2/\(name)/manifests/latest").status == 414)
        }
    }

    @Test("a TLS hello on a plain port is closed at once, without an answer")
    func tlsHello() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
            #expect(try await client.rest() == [])
        }
    }

    @Test("a client that does not finish its head is closed when its time is up")
    func slowHead() async throws {
        try await withServer {
            $0.limits.headTimeout = .milliseconds(100)
        } body: { live in
            let silent = try await RawClient(live.address)
            let slow = try await RawClient(live.address)
            try await slow.send("GET /v2/ HTTP/1.1\r\nHo")
            #expect(try await silent.rest() == [])
            #expect(try await slow.rest() == [])
        }
    }

    @Test("an idle connection is closed when its time is up, and not before it was used")
    func idle() async throws {
        try await withServer {
            $0.limits.idleTimeout = .milliseconds(100)
        } body: { live in
            let client = try await RawClient(live.address)
            try await client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
            #expect(try await client.response().status == 200)
            #expect(try await client.rest() == [])
        }
    }

    @Test("a client that takes no bytes is closed, one that waits for us is not")
    func stalled() async throws {
        try await withServer {
            $0.limits.sendStall = .milliseconds(200)
        } body: { live in
            let digest = Digest(repeating: 1)
            let waiting = try FakeGrowingBlob(length: 3)
            let file = try TemporaryFile([UInt8](repeating: 7, count: 64 << 20))
            live.registry.script.withLock {
                $0.cachedBlobs[digest] = file
                $0.blobs[Digest(repeating: 2)] = .success(.growing(waiting, .miss))
            }
            let patient = try await RawClient(live.address)
            try await patient.send("GET /v2/a/blobs/\(Digest(repeating: 2)) HTTP/1.1\r\nHost: m\r\n\r\n")
            let stalled = try await RawClient(live.address)
            try await stalled.send("GET /v2/a/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n")
            // The log line is written when the server has given up on it.
            try await eventually { live.log.all.contains(where: { $0.contains("\(digest)") }) }
            #expect(try await stalled.rest().count < 64 << 20)
            waiting.grow(by: [1, 2, 3])
            waiting.finish()
            #expect(try await patient.response().body == [1, 2, 3])
        }
    }

    @Test("pipelined requests are answered in order, each once")
    func pipelined() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            let requests = (0..<200).map { "GET /v2/ HTTP/1.1\r\nHost: m\r\nX-Request-Id: r\($0)\r\n\r\n" }
            try await client.send(requests.joined())
            for index in 0..<200 {
                #expect(try await client.response()["x-request-id"] == "r\(index)")
            }
        }
    }

    @Test("nothing is answered after a response that closes the connection")
    func pipelinedAfterClose() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send(
                "GET /v2/ HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n"
            )
            #expect(try await client.response().status == 200)
            #expect(try await client.rest() == [])
        }
    }

    @Test("HTTP/1.0 clients are served, and kept only if they ask for it")
    func oldClients() async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send("GET /v2/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try await client.response()["connection"] == "keep-alive")
            try await client.send("GET /v2/ HTTP/1.0\r\n\r\n")
            #expect(try await client.response().text == "{}")
            #expect(try await client.rest() == [])
        }
    }

    @Test("a request id that is not fit for a log is replaced")
    func requestIDs() async throws {
        try await withServer { live in
            for id in ["a b", "a\"b", String(repeating: "a", count: 65), "\u{e9}"] {
                let response = try await live.request("/v2/", headers: ["X-Request-Id: \(id)"])
                #expect(response["x-request-id"] != id)
            }
        }
    }

    @Test("a connection above the limit is closed at once, and the others are served")
    func connectionLimit() async throws {
        try await withServer {
            $0.limits.connections = 2
        } body: { live in
            let first = try await RawClient(live.address)
            let second = try await RawClient(live.address)
            for client in [first, second] {
                try await client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
                #expect(try await client.response().status == 200)
            }
            let third = try await RawClient(live.address)
            #expect(try await third.rest() == [])
            try await first.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
            #expect(try await first.response().status == 200)
        }
    }

    @Test("a thousand idle connections do not keep the next client out")
    func idleConnections() async throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 8192)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        try await withServer { live in
            var clients: [RawClient] = []
            for _ in 0..<1000 { clients.append(try await RawClient(live.address)) }
            try await expectAlive(live)
            try await clients[999].send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
            #expect(try await clients[999].response().status == 200)
        }
    }

    private func expectAlive(_ live: LiveServer) async throws {
        #expect(try await live.request("/healthz").status == 200)
    }
}
