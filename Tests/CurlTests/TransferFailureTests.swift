import Curl
import Glibc
import HTTPTesting
import Testing

@Suite("Transfer failures", .timeLimit(.minutes(1)))
struct TransferFailureTests {
    let loop = TransferLoop(name: "curl-test")

    static let impatient = TransferRequest.Timeouts(
        connect: .milliseconds(200),
        head: .milliseconds(200),
        stall: .milliseconds(300)
    )

    private func failure(
        _ request: TransferRequest,
        to sink: any TransferSink = CollectingSink()
    ) async -> TransferError? {
        await #expect(throws: TransferError.self) { try await loop.send(request, to: sink) }
    }

    @Test(
        "name what the server did wrong",
        arguments: [
            (Response.truncated(length: 10, body: [1, 2]), TransferError.Code.truncated),
            (.raw(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".utf8)), .truncated),
            (.raw([]), .unreachable),
            (.stall(after: ""), .timedOut),
            (.stall(after: "HTTP/1.1 200 OK\r\n"), .timedOut),
            (.stall(after: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), .timedOut),
        ]
    )
    func failures(response: Response, code: TransferError.Code) async {
        let server = LoopbackServer { _ in response }
        #expect(await failure(TransferRequest(url: server.url("/"), timeouts: Self.impatient))?.code == code)
    }

    @Test("a total deadline ends a transfer that keeps moving")
    func total() async {
        let server = LoopbackServer { _ in .stall(after: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") }
        let timeouts = TransferRequest.Timeouts(stall: .seconds(50), total: .milliseconds(200))
        #expect(await failure(TransferRequest(url: server.url("/"), timeouts: timeouts))?.code == .timedOut)
    }

    @Test("a port where nobody listens is unreachable")
    func nobody() async {
        let port = LoopbackServer { _ in .reply(200) }.port
        #expect(await failure(TransferRequest(url: "http://127.0.0.1:\(port)/"))?.code == .unreachable)
    }

    @Test("a name that does not exist is a failure of DNS")
    func dns() async {
        // RFC 6761: `.invalid` never resolves.
        #expect(await failure(TransferRequest(url: "http://registry.invalid/"))?.code == .dns)
    }

    @Test(
        "other schemes, and user names in URLs, are refused",
        arguments: ["file:///etc/passwd", "http://user@127.0.0.1/"]
    )
    func schemes(url: String) async {
        let code = await failure(TransferRequest(url: url))?.code
        guard case .other = code else {
            Issue.record("got \(String(describing: code))")
            return
        }
    }

    @Test("a body past its limit is too large, and one that meets it is not")
    func bodyLimit() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [UInt8](repeating: 1, count: 1000)) }
        var request = TransferRequest(url: server.url("/"), limits: .init(body: 999))
        #expect(await failure(request)?.code == .tooLarge)
        request.limits.body = 1000
        try await loop.send(request, to: CollectingSink())
    }

    @Test("a head past its limit is too large")
    func headLimit() async {
        let server = LoopbackServer { _ in .reply(200, ["X-Long": String(repeating: "x", count: 5000)]) }
        #expect(await failure(TransferRequest(url: server.url("/"), limits: .init(head: 4096)))?.code == .tooLarge)
    }

    @Test("a sink that refuses ends the transfer", arguments: [RefusingSink.Part.head, .body])
    func refuses(part: RefusingSink.Part) async {
        let server = LoopbackServer { _ in .reply(200, body: [1, 2, 3]) }
        #expect(await failure(TransferRequest(url: server.url("/")), to: RefusingSink(part))?.code == .refused)
    }

    @Test("cancelling the caller ends a stalled transfer")
    func cancels() async throws {
        let server = LoopbackServer { _ in .stall(after: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n") }
        let task = Task { [loop] in try await loop.send(TransferRequest(url: server.url("/")), to: CollectingSink()) }
        try await server.waitForRequests(1)
        task.cancel()
        let error = await #expect(throws: TransferError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }

    @Test("a cancel that comes before the submission still ends it")
    func cancelsEarly() async {
        let server = LoopbackServer { _ in .stall(after: "") }
        let task = Task { [loop] in
            withUnsafeCurrentTask { $0?.cancel() }
            return try await loop.send(TransferRequest(url: server.url("/")), to: CollectingSink())
        }
        let error = await #expect(throws: TransferError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }

    @Test("shutting down ends what is running and refuses what comes later")
    func shutsDown() async throws {
        let server = LoopbackServer { _ in .stall(after: "") }
        let task = Task { [loop] in try await loop.send(TransferRequest(url: server.url("/")), to: CollectingSink()) }
        try await server.waitForRequests(1)
        loop.shutDown()
        let error = await #expect(throws: TransferError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(await failure(TransferRequest(url: server.url("/")))?.code == .cancelled)
    }
}

final class RefusingSink: TransferSink {
    enum Part: Sendable {
        case head
        case body
    }

    private let part: Part
    init(_ part: Part) { self.part = part }

    func begin(_ head: ResponseHead) -> Bool { part != .head }
    func receive(_ bytes: Span<UInt8>) -> Intake { .refused }
}
