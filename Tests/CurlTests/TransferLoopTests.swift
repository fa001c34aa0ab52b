import Curl
import HTTPTesting
import Locking
import Testing

@Suite("Transfer loop", .timeLimit(.minutes(1)))
struct TransferLoopTests {
    let loop = TransferLoop(name: "curl-test")

    @Test("delivers the head, then the body in order")
    func delivers() async throws {
        let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let server = LoopbackServer { _ in .reply(206, ["X-Twice": "a", "Docker-Content-Digest": "d"], body: body) }
        let sink = CollectingSink()
        let head = try await loop.send(TransferRequest(url: server.url("/v2/")), to: sink)
        #expect(head.status == 206)
        #expect(head["docker-content-digest"] == "d")
        #expect(head.peer == .loopback)
        #expect(sink.heads == [head])
        #expect(sink.bytes == body)
    }

    @Test("sends the method, the fields and the form, and the URL as it is")
    func sends() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [1]) }
        let path = "/a//b/../c?sig=%2B%2f&x=a+b"
        for method in [TransferRequest.Method.get, .head, .post(form: "a=1&b=%20")] {
            let request = TransferRequest(method, url: server.url(path), fields: [HeaderField("X-Field", "value")])
            try await loop.send(request, to: CollectingSink())
        }
        let requests = server.requests
        #expect(requests.map(\.line) == ["GET \(path)", "HEAD \(path)", "POST \(path)"])
        #expect(requests.map(\.body) == ["", "", "a=1&b=%20"])
        #expect(requests.allSatisfy { $0["X-Field"] == "value" && $0["Accept-Encoding"] == nil })
        #expect(requests[2]["Content-Type"] == "application/x-www-form-urlencoded")
    }

    @Test("a HEAD ends with its head, whatever length that promises")
    func head() async throws {
        let server = LoopbackServer { _ in .reply(200, ["Content-Length": "123456"]) }
        let head = try await loop.send(TransferRequest(.head, url: server.url("/")), to: CollectingSink())
        #expect(head["Content-Length"] == "123456")
    }

    @Test("does not follow redirects")
    func redirects() async throws {
        let server = LoopbackServer { _ in .reply(307, ["Location": "/elsewhere"]) }
        let head = try await loop.send(TransferRequest(url: server.url("/")), to: CollectingSink())
        #expect(head.status == 307)
        #expect(server.requests.count == 1)
    }

    @Test("interim responses and trailers are not the head")
    func interim() async throws {
        let server = LoopbackServer { _ in
            .raw(
                Array(
                    ("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Real: 1\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: 1\r\n\r\n")
                        .utf8
                )
            )
        }
        let sink = CollectingSink()
        let head = try await loop.send(TransferRequest(url: server.url("/")), to: sink)
        #expect(head.fields.map(\.name) == ["X-Real", "Transfer-Encoding"])
        #expect(sink.heads.count == 1)
        #expect(sink.bytes == Array("a".utf8))
    }

    @Test("keeps its connections")
    func reuses() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [1]) }
        for _ in 0..<5 { try await loop.send(TransferRequest(url: server.url("/")), to: CollectingSink()) }
        #expect(server.connectionCount == 1)
    }

    @Test("refuses header fields that would end their line")
    func injection() async {
        let server = LoopbackServer { _ in .reply(200) }
        let request = TransferRequest(url: server.url("/"), fields: [HeaderField("X", "a\r\nHost: evil")])
        let error = await #expect(throws: TransferError.self) { try await loop.send(request, to: CollectingSink()) }
        #expect(error?.code == .other(43))
        #expect(server.requests.isEmpty)
    }

    @Test("loops of their own do not share connections")
    func severalLoops() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [1]) }
        let other = TransferLoop(name: "curl-test-2")
        try await loop.send(TransferRequest(url: server.url("/")), to: CollectingSink())
        try await other.send(TransferRequest(url: server.url("/")), to: CollectingSink())
        #expect(server.connectionCount == 2)
    }
}

@Suite("libcurl")
struct LibraryVersionTests {
    @Test("the installed one has all that we rely on")
    func installed() {
        let version = LibraryVersion.current
        #expect(version.number.first?.isNumber == true)
        #expect(version.tls != "none")
        #expect(version.shortcomings.isEmpty)
    }
}

final class CollectingSink: TransferSink {
    private let state = Locked((heads: [ResponseHead](), bytes: [UInt8]()))

    var heads: [ResponseHead] { state.withLock { $0.heads } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func begin(_ head: ResponseHead) -> Bool {
        state.withLock { $0.heads.append(head) }
        return true
    }

    func receive(_ bytes: Span<UInt8>) -> Intake {
        state.withLock { state in
            for index in bytes.indices { state.bytes.append(bytes[index]) }
        }
        return .taken
    }
}
