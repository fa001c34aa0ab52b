import Dispatch
import HTTPTesting
import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Limits", .timeLimit(.minutes(1)))
struct LimitFlowTests {
    private static let pullLimit = Response.text(
        429,
        ["Content-Type": "application/json", "Retry-After": "10"],
        RateLimitTests.json
    )
    private static let abuse = Response.text(
        429,
        ["Content-Type": "text/plain", "Retry-After": "60"],
        "Too Many Requests (HAP429).\n"
    )

    private let clock = TestClock()

    /// Answers from the list while there are some, and then with 200.
    private static func script(_ answers: [Response]) -> @Sendable () -> Response {
        let rest = Locked(answers)
        return { rest.withLock { $0.isEmpty ? nil : $0.removeFirst() } ?? .reply(200) }
    }

    @Test("a pull limit stops manifest reads only: blobs finish, HEADs go on, and the read comes in the end")
    func pullLimit() async throws {
        let blobs = DispatchSemaphore(value: 0)
        let manifest = Self.script([Self.pullLimit])
        let server = LoopbackServer { request in
            if request.path.contains("/blobs/") {
                blobs.wait()
                return .reply(200, body: [1, 2, 3])
            }
            return request.method == "HEAD" ? .reply(200) : manifest()
        }
        let subject = try Subject(server.url(""), time: clock.timekeeper) { $0.concurrency.blobs = 20 }
        let transfers = (0..<20).map { _ in Task { try await subject.blob().bytes } }
        try await server.waitForRequests(20)
        let read = Task { try await subject.upstream.manifest(tag, in: repository) }
        while subject.upstream.manifests.waiting == 0 { try await Task.sleep(for: .milliseconds(1)) }
        _ = try await subject.upstream.headManifest(tag, in: repository)
        for _ in transfers { blobs.signal() }
        for transfer in transfers { #expect(try await transfer.value == [1, 2, 3]) }
        #expect(server.requests.count { $0.method == "GET" && $0.path.contains("/manifests/") } == 1)
        try await clock.advance(toSleeperAt: .seconds(10))
        _ = try await read.value
        #expect(server.requests.count { $0.method == "GET" && $0.path.contains("/manifests/") } == 2)
        #expect(subject.upstream.manifests.size == 4)
        #expect(subject.upstream.blobs.size == 20)
        #expect(subject.log.count(of: "window closed") == 1)
        #expect(subject.log.count(of: "window opened") == 1)
    }

    @Test("a wait beyond the patience is the caller's to decide, and later reads are refused without a request")
    func tooLong() async throws {
        let server = LoopbackServer { _ in
            .text(429, ["Content-Type": "application/json", "Retry-After": "3000"], RateLimitTests.json)
        }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        for rest in [3000, 2990] {
            await #expect(throws: UpstreamError.pullLimited(retryAfter: .seconds(rest))) {
                try await subject.upstream.manifest(tag, in: repository)
            }
            clock.advance(by: .seconds(10))
        }
        #expect(server.requests.count == 1)
    }

    @Test("a HEAD that shows quota opens what was closed by a guess, and not what was closed by the registry's word")
    func earlyOpening() async throws {
        for (fields, opens) in [(["RateLimit-Limit": "100;w=360000"], true), (["Retry-After": "3600"], false)] {
            let server = LoopbackServer { request in
                request.method == "HEAD"
                    ? .reply(200, ["RateLimit-Limit": "100;w=3600", "RateLimit-Remaining": "5;w=3600"])
                    : .text(429, fields.merging(["Content-Type": "application/json"]) { $1 }, RateLimitTests.json)
            }
            let subject = try Subject(server.url(""), time: clock.timekeeper)
            await #expect(throws: UpstreamError.pullLimited(retryAfter: .seconds(3600))) {
                try await subject.upstream.manifest(tag, in: repository)
            }
            clock.advance(by: .seconds(1))
            _ = try await subject.upstream.headManifest(tag, in: repository)
            #expect((subject.upstream.manifests.free == 4) == opens)
            #expect(subject.log.count(of: "window opened") == (opens ? 1 : 0))
        }
    }

    @Test("an abuse limit stops requests of every kind for its time, is logged once, and slows all down")
    func abuseLimit() async throws {
        let answer = Self.script([Self.abuse])
        let server = LoopbackServer { _ in answer() }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        let upstream = subject.upstream
        let expected = UpstreamError.abuseLimited(retryAfter: .seconds(60))
        await #expect(throws: expected) { try await subject.blob() }
        await #expect(throws: expected) { try await upstream.headManifest(tag, in: repository) }
        await #expect(throws: expected) { try await upstream.manifest(tag, in: repository) }
        await #expect(throws: expected) { try await upstream.tags(in: repository) }
        await #expect(throws: expected) { try await upstream.referrers(of: digest, in: repository) }
        #expect(server.requests.count == 1)
        #expect([upstream.heads.size, upstream.manifests.size, upstream.blobs.size] == [16, 4, 8])
        #expect(subject.log.count(of: "upstream paused") == 1)
        clock.advance(by: .seconds(61))
        _ = try await upstream.manifest(tag, in: repository)
        #expect(server.requests.count == 2)
        #expect(subject.log.count(of: "upstream resumed") == 1)
    }

    @Test("an abuse limit stops tokens too")
    func abuseStopsTokens() async throws {
        let tokens = LoopbackServer { _ in .text(200, [:], #"{"token":"T"}"#) }
        let realm = tokens.url("/token")
        let answer = Self.script([Self.abuse])
        let server = LoopbackServer { request in
            if request.path.contains("/limited/") { return answer() }
            return .reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)",service="s""#])
        }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        await #expect(throws: UpstreamError.denied) { try await subject.upstream.manifest(tag, in: repository) }
        let before = (server.requests.count, tokens.requests.count)
        let limited = try RepositoryName("library/limited")
        let other = try RepositoryName("library/other")
        await #expect(throws: UpstreamError.abuseLimited(retryAfter: .seconds(60))) {
            try await subject.upstream.manifest(tag, in: limited)
        }
        // The limited request itself brought a token.
        let after = (server.requests.count, tokens.requests.count)
        #expect(after == (before.0 + 1, before.1 + 1))
        await #expect(throws: UpstreamError.abuseLimited(retryAfter: .seconds(60))) {
            try await subject.upstream.manifest(tag, in: other)
        }
        #expect((server.requests.count, tokens.requests.count) == after)
    }

    @Test("a limit of a redirect's target is that blob's failure alone")
    func redirectTarget() async throws {
        let elsewhere = LoopbackServer { _ in Self.abuse }
        let target = elsewhere.url("/data")
        let server = LoopbackServer { request in
            request.path.contains("/blobs/") ? .reply(307, ["Location": target]) : .reply(200)
        }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        await #expect(throws: UpstreamError.unavailable(.status(429))) { try await subject.blob() }
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(subject.upstream.blobs.free == 16)
        #expect(!subject.upstream.isFailing)
    }

    @Test("a limit of the token server pauses nothing of the registry's, and is not asked again at once")
    func tokenServer() async throws {
        let tokens = LoopbackServer { _ in Self.abuse }
        let realm = tokens.url("/token")
        let server = LoopbackServer { request in
            request.path.contains("/open/")
                ? .reply(200) : .reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)",service="s""#])
        }
        let subject = try Subject(server.url(""), time: clock.timekeeper)
        for _ in 0..<2 {
            await #expect(throws: UpstreamError.abuseLimited(retryAfter: .seconds(60))) {
                try await subject.upstream.manifest(tag, in: repository)
            }
        }
        #expect(tokens.requests.count == 1)
        #expect(subject.upstream.manifests.free == 8)
        #expect(subject.log.count(of: "upstream paused") == 0)
    }

    @Test("requests beyond the rate wait for their turn")
    func rate() async throws {
        let server = LoopbackServer { _ in .reply(200) }
        let subject = try Subject(server.url(""), time: clock.timekeeper) { $0.requestsPerMinute = 6 }
        _ = try await subject.upstream.headManifest(tag, in: repository)
        let second = Task { try await subject.upstream.headManifest(tag, in: repository) }
        try await clock.advance(toSleeperAt: .seconds(10) + .microseconds(1))
        _ = try await second.value
        #expect(server.requests.count == 2)
        await #expect(throws: UpstreamError.unavailable(.queue)) {
            let third = Task { try await subject.upstream.headManifest(tag, in: repository) }
            let fourth = Task { try await subject.upstream.headManifest(tag, in: repository) }
            let fifth = Task { try await subject.upstream.headManifest(tag, in: repository) }
            while clock.sleeping < 4 { try await Task.sleep(for: .milliseconds(1)) }
            clock.advance(by: .seconds(26))
            for task in [third, fourth, fifth] { _ = try await task.value }
        }
    }
}
