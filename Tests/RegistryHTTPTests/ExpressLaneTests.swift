import Foundation
import Locking
import MirrorCore
import NIOCore
import NIOPosix
import OCI
import Posix
import Testing

@testable import RegistryHTTP

/// Connections that come for one prepared answer, and those that do not.
@Suite("The express lane", .timeLimit(.minutes(1)))
struct ExpressLaneTests {
    private static let target = "/v2/nginx/manifests/latest"
    private static let close = "Connection: close\r\n"

    /// A machine under load takes its time between a client's calls.
    private func patient(_ options: inout RegistryServer.Options) { options.expressWait = .seconds(60) }

    /// Publishes a manifest and has it prepared; returns a response that an event loop sent.
    private func prepare(
        _ body: [UInt8] = [1, 2, 3],
        _ method: String = "GET",
        on live: LiveServer
    ) async throws
        -> RawResponse
    {
        let digest = Digest(repeating: 0xcd)
        let head = ManifestHead(digest: digest, mediaType: MediaType.ociIndex, size: body.count, outcome: .hit)
        live.registry.script.withLock { script in
            script.cachedManifests["latest"] = FakeRegistry.Manifest(head: head, content: .bytes(body))
            script.lifetime = .seconds(60)
        }
        let client = try await RawClient(live.address)
        try await client.send(request(method))
        return try await client.response(toHead: method == "HEAD")
    }

    private func request(_ method: String = "GET", _ headers: String = "") -> String {
        "\(method) \(Self.target) HTTP/1.1\r\nHost: m\r\n\(headers)\r\n"
    }

    private func questions(of live: LiveServer) -> Int {
        live.registry.calls.count { $0.hasPrefix("cachedManifest") }
    }

    @Test("its answers are those of an event loop, but for the connection's end", arguments: ["GET", "HEAD"])
    func same(method: String) async throws {
        try await withServer(patient) { live in
            let first = try await prepare([UInt8](repeating: 5, count: 9000), method, on: live)
            let client = try await RawClient(live.address)
            try await client.send(request(method, Self.close))
            let response = try await client.response(toHead: method == "HEAD")
            #expect(try await client.rest() == [])
            #expect(!RawResponse.haveSameThread(first, response))
            #expect(response.status == 200 && response.body == first.body)
            #expect(response.values("connection") == ["close"] && response.values("date").count == 1)
            let varying = ["connection", "date", "x-request-id"]
            let kept = [first, response]
                .map { $0.headers.filter { !varying.contains($0.name) }.map { "\($0.name): \($0.value)" } }
            #expect(kept[0] == kept[1])
            #expect(questions(of: live) == 1)
        }
    }

    @Test("they are counted and logged as those are")
    func noted() async throws {
        try await withServer(patient) { live in
            let first = try await prepare([1, 2], on: live)
            for number in 0..<4 {
                let client = try await RawClient(live.address)
                try await client.send(request("GET", Self.close + "X-Request-Id: mine-\(number)\r\n"))
                #expect(try await client.response().values("x-request-id") == ["mine-\(number)"])
            }
            #expect(
                !RawResponse.haveSameThread(first, try await live.request(Self.target, headers: ["Connection: close"]))
            )
            try await eventually { live.log.all.count { $0.contains("info request") } == 6 }
            let lines = live.log.all.filter { $0.contains("info request") }
            let fields = lines.map { line in
                line.split(separator: " ").dropFirst().filter { !$0.contains("duration_ms=") && !$0.contains("_id=") }
            }
            #expect(fields.allSatisfy { $0 == fields[0] })
            #expect(lines.count { $0.contains("request_id=mine-") && $0.contains("client=127.0.0.1") } == 4)
            let text = try await live.request("/metrics").text
            let labels = #"upstream="docker.io",kind="manifest",method="GET",status="200",cache="hit""#
            #expect(text.contains("tidepool_requests_total{\(labels)} 6\n"))
            #expect(text.contains("tidepool_sent_bytes_total{cache=\"hit\"} 12\n"))
            #expect(text.contains("tidepool_request_seconds_count{kind=\"manifest\",cache=\"hit\"} 6\n"))
        }
    }

    @Test(
        "what is not for it is answered by an event loop",
        arguments: [
            ("", 200), ("Connection: keep-alive\r\n", 200), (close + close, 200), (close + "Range: bytes=0-0\r\n", 200),
            (close + "Content-Length: 0\r\n", 200), (close + "Host: other\r\n", 400), (close + "Upgrade: h2c\r\n", 200),
            (close + "Content-Length: 1\r\n", 400), (close + "Via: 1.1 tidepool-test-instance\r\n", 508),
            (close + "If-None-Match: \"\(Digest(repeating: 0xcd))\"\r\n", 304), (close + "X: a\r\n b\r\n", 400),
            (close + "X: \(String(repeating: "x", count: 5000))\r\n", 200),
        ]
    )
    func declined(headers: String, status: Int) async throws {
        try await withServer(patient) { live in
            let first = try await prepare(on: live)
            let client = try await RawClient(live.address)
            try await client.send(request("GET", headers))
            let response = try await client.response()
            #expect(response.status == status)
            #expect(RawResponse.haveSameThread(first, response))
        }
    }

    @Test("a head in pieces, and one that comes late, are answered")
    func slow() async throws {
        try await withServer { live in
            _ = try await prepare(on: live)
            let text = request("GET", Self.close)
            let split = try await RawClient(live.address)
            try await split.send(String(text.prefix(20)))
            let late = try await RawClient(live.address)
            // Longer than the system keeps it to itself and than the lane waits, whichever way it is answered.
            try await Task.sleep(for: .milliseconds(1500))
            try await late.send(text)
            try await split.send(String(text.dropFirst(20)))
            for client in [split, late] {
                #expect(try await client.response().body == [1, 2, 3])
                #expect(try await client.rest() == [])
            }
        }
    }

    @Test("a client that closes its side when it has asked gets its answer")
    func halfClosed() async throws {
        try await withServer(patient) { live in
            _ = try await prepare(on: live)
            for headers in [Self.close, ""] {
                let client = try await RawClient(live.address)
                try await client.send(request("GET", headers))
                client.closeOutput()
                #expect(try await client.response().body == [1, 2, 3])
                #expect(try await client.rest() == [])
            }
        }
    }

    @Test("what is asked for after a request that ends the connection is not answered", arguments: [true, false])
    func pipelined(isAtOnce: Bool) async throws {
        try await withServer(patient) { live in
            _ = try await prepare(on: live)
            let client = try await RawClient(live.address)
            try await client.send(request("GET", Self.close) + (isAtOnce ? request() : ""))
            // A client that has its answer's end may not be able to send any more.
            if !isAtOnce { try? await client.send(request()) }
            #expect(try await client.response().body == [1, 2, 3])
            #expect(try await client.rest() == [])
        }
    }

    @Test("what was committed since ends it")
    func revision() async throws {
        try await withServer(patient) { live in
            let first = try await prepare(on: live)
            live.registry.script.withLock { $0.revision += 1 }
            let client = try await RawClient(live.address)
            try await client.send(request("GET", Self.close))
            #expect(RawResponse.haveSameThread(first, try await client.response()))
            #expect(questions(of: live) == 2)
        }
    }

    @Test("a response that is too long for it is an event loop's")
    func long() async throws {
        try await withServer(patient) { live in
            let body = [UInt8](repeating: 7, count: 20_000)
            let first = try await prepare(body, on: live)
            let client = try await RawClient(live.address)
            try await client.send(request("GET", Self.close))
            let response = try await client.response()
            #expect(response.body == body && RawResponse.haveSameThread(first, response))
        }
    }

    @Test("what the socket does not take at once is sent all the same", arguments: [0, 1, 100, 5000])
    func sentInPart(count: Int) async throws {
        try await withServer {
            patient(&$0)
            $0.longestExpressSend = count
        } body: { live in
            let body = [UInt8](repeating: 5, count: 9000)
            let first = try await prepare(body, on: live)
            let client = try await RawClient(live.address)
            try await client.send(request("GET", Self.close))
            client.closeOutput()
            let response = try await client.response()
            #expect(response.body == body && !RawResponse.haveSameThread(first, response))
            #expect(try await client.rest() == [])
        }
    }

    @Test("each connection gives its place back")
    func places() async throws {
        try await withServer {
            patient(&$0)
            $0.limits.connections = 2
        } body: { live in
            _ = try await prepare(on: live)
            let kept = try await RawClient(live.address)
            try await kept.send(request())
            #expect(try await kept.response().status == 200)
            // The first one's is given back in an event loop's own time.
            while (try? await live.request(Self.target, headers: ["Connection: close"]))?.status != 200 {}
            for _ in 0..<20 {
                let client = try await RawClient(live.address)
                try await client.send(request("GET", Self.close))
                #expect(try await client.response().status == 200)
                #expect(try await client.rest() == [])
            }
        }
    }

    @Test("draining closes what has sent nothing, and nothing stays open", arguments: [false, true])
    func drain(isUsed: Bool) async throws {
        let port = try await withServer(patient) { live in
            let port = try #require(UInt16(live.address.split(separator: ":").last ?? ""))
            _ = try await prepare(on: live)
            if isUsed {
                let reset = try await RawClient(live.address)
                reset.reset()
                for headers in [Self.close, ""] {
                    let client = try await RawClient(live.address)
                    try await client.send(request("GET", headers))
                    #expect(try await client.response().status == 200)
                }
            }
            var silent: [RawClient] = []
            for _ in 0..<20 { silent.append(try await RawClient(live.address)) }
            // The system tells of them when they have been silent for a second.
            try await eventually { live.server.context.connections.count >= silent.count }
            await live.server.drain(within: .seconds(30))
            for client in silent { #expect(try await client.rest() == []) }
            return port
        }
        #expect(try openSockets(of: port) == 0)
    }

    @Test("who has asked before the end is answered, even if not yet let in")
    func asked() async throws {
        try await withServer(patient) { live in
            _ = try await prepare(on: live)
            let answers = try #require(live.server.context.expressAnswers)
            let listener = try ListeningSocket(.v4(loopback), backlog: 200)
            let (epoll, end) = (try Epoll(), try EventDescriptor())
            for number in [listener.rawValue, end.rawValue] { try epoll.add(number) }
            var clients: [RawClient] = []
            for _ in 0..<100 {
                let client = try await RawClient("127.0.0.1:\(listener.address.port)")
                try await client.send(request("GET", Self.close))
                clients.append(client)
            }
            // The lane is told of its end before it has seen any of them.
            end.signal()
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let context = live.server.context
            let thread = DedicatedThread(name: "express-test") {
                ExpressLoop([listener], epoll, until: end, server: context, answers: answers, group: group).run()
            }
            for client in clients { #expect(try await client.response().status == 200) }
            thread.join()
            try await group.shutdownGracefully()
        }
    }

    private var loopback: sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return address
    }

    /// How many sockets of this process have the port as their own.
    private func openSockets(of port: UInt16) throws -> Int {
        let suffix = ":" + String(port, radix: 16, uppercase: true)
        let lines = try String(contentsOfFile: "/proc/self/net/tcp", encoding: .utf8).split(separator: "\n")
        return lines.count { line in
            let words = line.split(separator: " ")
            // A socket that nobody has open any more has no inode.
            return words.count > 9 && words[1].hasSuffix(suffix) && words[9] != "0"
        }
    }
}
