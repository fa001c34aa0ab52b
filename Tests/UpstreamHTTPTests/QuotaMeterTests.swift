import HTTPTesting
import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Quota meter", .timeLimit(.minutes(1)))
struct QuotaMeterTests {
    private static let window = ["RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "87;w=21600"]

    @Test(
        "a manifest read is charged unless the registry has certainly not counted it",
        arguments: [
            (Response.reply(200), true), (.reply(401), false), (.reply(403), false), (.reply(404), false),
            (.text(429, ["Content-Type": "text/plain", "Retry-After": "60"], "no"), false),
            (.text(429, ["Content-Type": "application/json", "Retry-After": "60"], RateLimitTests.json), false),
            (.reply(500), false), (.reply(503), false), (.truncated(length: 5, body: [1]), true), (.raw([]), true),
            (.stall(after: ""), true), (.reply(200, ["Content-Encoding": "gzip"], body: [1]), true),
        ] as [(Response, Bool)]
    )
    func charges(response: Response, isSpent: Bool) async throws {
        let server = LoopbackServer { _ in response }
        let subject = try Subject(server.url("")) { options in
            options.timeouts.connect = .milliseconds(100)
            options.timeouts.head = .milliseconds(100)
        }
        _ = try? await subject.upstream.manifest(tag, in: repository)
        let (claims, settled) = subject.ledger.state.withLock { ($0.claims, $0.settled) }
        #expect(settled.map(\.claim) == claims)
        #expect(settled.map(\.isSpent) == [isSpent])
        #expect(claims.first?.account == QuotaAccount(upstream: UpstreamName("registry.example")))
    }

    @Test("nothing but a manifest's GET is charged")
    func onlyReads() async throws {
        let server = LoopbackServer { _ in .text(200, ["Content-Type": "application/json"], "{}") }
        let subject = try Subject(server.url(""))
        _ = try await subject.upstream.headManifest(tag, in: repository)
        _ = try await subject.upstream.headBlob(digest, in: repository)
        _ = try await subject.upstream.tags(in: repository)
        _ = try await subject.blob()
        #expect(subject.ledger.state.withLock { $0.claims }.isEmpty)
    }

    @Test("the purpose is the errand's, the account is the one presented, and a challenge costs nothing")
    func accounts() async throws {
        let port = Locked<UInt16>(0)
        let server = LoopbackServer { request in
            if request.path == "/token" { return .text(200, [:], #"{"token":"T"}"#) }
            return request["Authorization"] == "Bearer T"
                ? .reply(200, Self.window) : .reply(401, ["WWW-Authenticate": Self.challenge(port.withLock { $0 })])
        }
        port.withLock { $0 = server.port }
        let subject = try Subject(server.url("")) { $0.credentials = .password(username: "anna", Secret("p")) }
        let prewarm = Errand(for: Caller(address: "", purpose: .prewarm))
        _ = try await subject.upstream.manifest(tag, in: repository, for: prewarm)
        let state = subject.ledger.state.withLock { $0 }
        #expect(state.claims.map(\.purpose) == [.prewarm, .prewarm])
        #expect(state.claims.map(\.account.account) == ["anonymous", "anna"])
        #expect(state.settled.map(\.isSpent) == [false, true])
        #expect(state.observations.map(\.account.account) == ["anna"])
        #expect(!subject.log.text.contains("anna"))
    }

    private static func challenge(_ port: UInt16) -> String {
        #"Bearer realm="http://127.0.0.1:\#(port)/token",service="s""#
    }

    @Test("a read that the ledger does not grant is not sent")
    func reserved() async throws {
        let server = LoopbackServer { _ in .reply(200) }
        let subject = try Subject(server.url(""))
        subject.ledger.state.withLock { $0.refusal = .reserved(retryAfter: .seconds(9)) }
        await #expect(throws: UpstreamError.reserved(retryAfter: .seconds(9))) {
            try await subject.upstream.manifest(tag, in: repository)
        }
        #expect(server.requests.isEmpty)
    }

    @Test("a HEAD's answer is observed, and one that tells nothing is not")
    func heads() async throws {
        let server = LoopbackServer { request in
            request.path.contains("/blobs/") ? .reply(200) : .reply(200, Self.window)
        }
        let subject = try Subject(server.url(""))
        _ = try await subject.upstream.headManifest(tag, in: repository)
        _ = try await subject.upstream.headBlob(digest, in: repository)
        #expect(
            subject.ledger.state.withLock { $0.observations.map(\.observation) } == [
                QuotaObservation(limit: 100, window: .seconds(21600), remaining: 87, isManifest: true)
            ]
        )
    }

    @Test(
        "answers tell",
        arguments: [
            (200, window, "", QuotaObservation(limit: 100, window: .seconds(21600), remaining: 87, isManifest: true)),
            (200, [:], "", QuotaObservation(isManifest: true)),
            (
                200, window.merging(["docker-ratelimit-source": "192.0.2.7"]) { $1 }, "",
                QuotaObservation(
                    limit: 100,
                    window: .seconds(21600),
                    remaining: 87,
                    source: "192.0.2.7",
                    isManifest: true
                )
            ),
            (
                429, ["x-ratelimit-limit": "100;w=3600", "x-ratelimit-remaining": "0;w=3600"], RateLimitTests.json,
                QuotaObservation(limit: 100, window: .seconds(3600), remaining: 0, isRefusal: true)
            ),
            (
                429, ["Retry-After": "60"], RateLimitTests.json,
                QuotaObservation(resetsIn: .seconds(60), isRefusal: true)
            ),
            (
                429,
                [
                    "X-RateLimit-Limit": "100;w=3600", "X-RateLimit-Reset": "1800000090",
                    "Content-Type": "application/json",
                ],
                "", QuotaObservation(limit: 100, window: .seconds(3600), resetsIn: .seconds(90), isRefusal: true)
            ),
            (
                200, ["RateLimit-Limit": "100;w=60", "RateLimit-Remaining": "5", "RateLimit-Reset": "30"], "",
                QuotaObservation(
                    limit: 100,
                    window: .seconds(60),
                    remaining: 5,
                    resetsIn: .seconds(30),
                    isManifest: true
                )
            ),
            // A limit of requests, such as GitLab's: not of pulls.
            (
                200, ["RateLimit-Limit": "2000", "RateLimit-Remaining": "5", "RateLimit-Reset": "1800000090"], "",
                QuotaObservation(isManifest: true)
            ),
            (429, ["Retry-After": "60"], "Too Many", nil), (404, [:], "", nil),
            (401, ["docker-ratelimit-source": "192.0.2.7"], "", nil),
            (200, ["RateLimit-Remaining": "-5;w=60"], "", QuotaObservation(isManifest: true)),
        ] as [(Int, [String: String], String, QuotaObservation?)]
    )
    func observations(status: Int, fields: [String: String], body: String, expected: QuotaObservation?) throws {
        let location = try #require(Location("https://registry.example/v2/a/manifests/b"))
        let answer = Answer(head: head(status, fields), body: Array(body.utf8), location: location)
        #expect(QuotaObservation(answer, isManifest: true, now: RateLimitTests.now) == expected)
    }
}
