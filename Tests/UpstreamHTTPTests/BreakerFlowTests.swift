import HTTPTesting
import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Circuit breaker", .timeLimit(.minutes(1)))
struct BreakerFlowTests {
    private let clock = TestClock()

    private func expectOpen(_ subject: Subject) async {
        let error = await #expect(throws: UpstreamError.self) {
            try await subject.upstream.headManifest(tag, in: repository)
        }
        guard case .unavailable(.circuitOpen(let rest)) = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
        #expect(rest > .zero && rest <= .seconds(1))
    }

    @Test("opens after three failures, refuses without traffic, probes once, and closes")
    func cycle() async throws {
        let answer = Locked(Response.reply(503))
        let server = LoopbackServer { _ in answer.withLock { $0 } }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        for _ in 0..<3 {
            #expect(!subject.upstream.isFailing)
            await #expect(throws: UpstreamError.unavailable(.status(503))) {
                try await subject.upstream.headManifest(tag, in: repository)
            }
        }
        #expect(subject.upstream.isFailing)
        #expect(subject.metrics.value(of: .upstreamUp, "registry.example") == 0)
        for _ in 0..<5 { await expectOpen(subject) }
        #expect(server.requests.count == 3)
        answer.withLock { $0 = .reply(404) }
        clock.advance(by: .seconds(1))
        #expect(subject.upstream.isFailing)
        await #expect(throws: UpstreamError.notFound) {
            try await subject.upstream.headManifest(tag, in: repository)
        }
        #expect(!subject.upstream.isFailing)
        #expect(subject.metrics.value(of: .upstreamUp, "registry.example") == 1)
        #expect(server.requests.count == 4)
        #expect(subject.log.count(of: "circuit opened") == 1)
        #expect(subject.log.count(of: "circuit closed") == 1)
    }

    @Test("a port where nobody listens opens it, and costs no quota")
    func refused() async throws {
        let port = LoopbackServer { _ in .reply(200) }.port
        let subject = try Subject("http://127.0.0.1:\(port)", time: clock.timekeeper)
        for _ in 0..<3 {
            await #expect(throws: UpstreamError.unavailable(.refused)) {
                try await subject.upstream.manifest(tag, in: repository)
            }
        }
        await expectOpen(subject)
        #expect(subject.ledger.state.withLock { $0.settled.map(\.isSpent) } == [false, false, false])
    }

    @Test("a blob that probes closes it with its head, and one that breaks off in its body is no failure")
    func blobs() async throws {
        let answer = Locked(Response.reply(500))
        let server = LoopbackServer { _ in answer.withLock { $0 } }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        for _ in 0..<3 {
            await #expect(throws: UpstreamError.unavailable(.status(500))) { try await subject.blob() }
        }
        clock.advance(by: .seconds(1))
        answer.withLock { $0 = .stall(after: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") }
        let probe = Task { try await subject.blob() }
        while subject.upstream.isFailing { try await Task.sleep(for: .milliseconds(1)) }
        probe.cancel()
        await #expect(throws: UpstreamError.cancelled) { try await probe.value }
        answer.withLock { $0 = .truncated(length: 9, body: [1]) }
        for _ in 0..<5 {
            await #expect(throws: UpstreamError.unavailable(.truncated)) { try await subject.blob() }
        }
        #expect(!subject.upstream.isFailing)
    }

    @Test("a probe that is cancelled makes way for the next")
    func cancelledProbe() async throws {
        let answer = Locked(Response.reply(500))
        let server = LoopbackServer { _ in answer.withLock { $0 } }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        for _ in 0..<3 { _ = try? await subject.upstream.headManifest(tag, in: repository) }
        clock.advance(by: .seconds(1))
        answer.withLock { $0 = .stall(after: "") }
        let probe = Task { try await subject.upstream.headManifest(tag, in: repository) }
        try await server.waitForRequests(4)
        await expectOpen(subject)
        probe.cancel()
        await #expect(throws: UpstreamError.cancelled) { try await probe.value }
        answer.withLock { $0 = .reply(200) }
        _ = try await subject.upstream.headManifest(tag, in: repository)
        #expect(!subject.upstream.isFailing)
    }

    @Test("a token server has its own, and the registry is not taken for down")
    func tokenServer() async throws {
        let tokens = LoopbackServer { _ in .reply(500) }
        let realm = tokens.url("/token")
        let server = LoopbackServer { _ in
            .reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)",service="s""#])
        }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        for _ in 0..<3 {
            await #expect(throws: UpstreamError.unavailable(.status(500))) {
                try await subject.upstream.headManifest(tag, in: repository)
            }
        }
        let asked = server.requests.count
        for _ in 0..<3 { await expectOpen(subject) }
        #expect(server.requests.count == asked)
        #expect(tokens.requests.count == 3)
        #expect(subject.upstream.isFailing)
        #expect(subject.metrics.value(of: .upstreamUp, "registry.example") == 1)
        #expect(subject.log.count(of: realm.replacing("/token", with: "")) > 0)
    }

    @Test("a repository that is answered with server errors does not hold up the others")
    func oneRepository() async throws {
        let isWell = Locked(true)
        let server = LoopbackServer { request in
            request.target.contains("library/nginx") || !isWell.withLock { $0 } ? .reply(500) : .reply(404)
        }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        let other = try RepositoryName("library/redis")
        for _ in 0..<3 { _ = try? await subject.upstream.headManifest(tag, in: repository) }
        await expectOpen(subject)
        await #expect(throws: UpstreamError.notFound) { try await subject.upstream.headManifest(tag, in: other) }
        #expect(!subject.upstream.isFailing)
        for _ in 0..<3 { _ = try? await subject.upstream.headManifest(tag, in: repository) }
        isWell.withLock { $0 = false }
        await #expect(throws: UpstreamError.unavailable(.status(500))) {
            try await subject.upstream.headManifest(tag, in: other)
        }
        let asked = server.requests.count
        await expectOpen(subject)
        await #expect(throws: UpstreamError.self) { try await subject.upstream.headManifest(tag, in: other) }
        #expect(server.requests.count == asked)
    }

    @Test("redirect targets that fail do not open it")
    func redirectTargets() async throws {
        let elsewhere = LoopbackServer { _ in .reply(503) }
        let target = elsewhere.url("/data")
        let server = LoopbackServer { _ in .reply(307, ["Location": target]) }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        for _ in 0..<5 {
            await #expect(throws: UpstreamError.unavailable(.status(503))) { try await subject.blob() }
        }
        #expect(!subject.upstream.isFailing)
        #expect(elsewhere.requests.count == 5)
    }
}
