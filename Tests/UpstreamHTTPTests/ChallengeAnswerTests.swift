import HTTPTesting
import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

/// A registry that wants `Bearer T1`, `Bearer T2`, …: the newest that its token endpoint, at `/token`, gave out.
struct TokenRegistry: Sendable {
    let server: LoopbackServer

    /// Makes one; `REALM` in the challenge stands for the token endpoint's URL.
    init(
        challenge: String = #"Bearer realm="REALM",service="s""#,
        accepts: @escaping @Sendable (Request, Int) -> Bool = { $0["Authorization"] == "Bearer T\($1)" },
        token: @escaping @Sendable (Request, Int) -> Response = { .text(200, [:], #"{"token":"T\#($1)"}"#) }
    ) {
        let issued = Locked(0)
        server = LoopbackServer { request in
            if request.path == "/token" {
                let number = issued.withLock { issued in
                    issued += 1
                    return issued
                }
                return token(request, number)
            }
            if accepts(request, issued.withLock { $0 }) { return .text(200, [:], "{}") }
            let realm = "http://\(request["Host"] ?? "")/token"
            return .reply(401, ["WWW-Authenticate": challenge.replacing("REALM", with: realm)])
        }
    }

    var tokenRequests: [Request] { server.requests.filter { $0.path == "/token" } }
    /// `token` for each token request, and what each of the others presented.
    var lines: [String] { server.requests.map { $0.path == "/token" ? "token" : $0["Authorization"] ?? "nothing" } }
}

@Suite("Challenges", .timeLimit(.minutes(1)))
struct ChallengeAnswerTests {
    static let pull = "scope=repository:library/nginx:pull"

    @Test(
        "are answered by a token for what they ask",
        arguments: [
            (#"Bearer realm="REALM",service="s""#, "/token?service=s&\(pull)"),
            (#"Bearer realm="REALM",service="s",scope="repository:library/nginx:pull""#, "/token?service=s&\(pull)"),
            (#"Bearer realm="REALM",service="s",scope="aws""#, "/token?service=s&scope=aws"),
            (#"Bearer realm="REALM",service="s",scope="""#, "/token?service=s&\(pull)"),
            (#"Bearer realm="REALM",service=gcr.io"#, "/token?service=gcr.io&\(pull)"),
            (#"Bearer realm="REALM""#, "/token?\(pull)"),
            (#"Bearer realm="REALM?a=b",service="s t""#, "/token?a=b&service=s%20t&\(pull)"),
            (#"Basic realm="x", Bearer realm="REALM",service="s""#, "/token?service=s&\(pull)"),
            (#"Bearer realm="REALM",scope="repository:library/nginx:pull,push""#, "/token?\(pull),push"),
        ]
    )
    func variants(challenge: String, target: String) async throws {
        let registry = TokenRegistry(challenge: challenge)
        _ = try await Subject(registry.server.url("")).upstream.manifest(tag, in: repository)
        #expect(registry.tokenRequests.map(\.line) == ["GET \(target)"])
        #expect(registry.lines == ["nothing", "token", "Bearer T1"])
    }

    @Test(
        "any form of token answer serves",
        arguments: [
            #"{"token":"T1"}"#, #"{"access_token":"T1"}"#, #"{"token":"T1","access_token":"T0","expires_in":0}"#,
        ]
    )
    func tokenForms(answer: String) async throws {
        let registry = TokenRegistry(token: { _, _ in .text(200, [:], answer) })
        _ = try await Subject(registry.server.url("")).upstream.manifest(tag, in: repository)
        #expect(registry.lines.last == "Bearer T1")
    }

    @Test(
        "a token answer that breaks a bound is not used",
        arguments: ["no json", "{}", #"{"token":""}"#, #"{"token":"a b"}"#, #"{"token":"a\r\nX: y"}"#]
    )
    func badTokens(answer: String) async throws {
        let registry = TokenRegistry(token: { _, _ in .text(200, [:], answer) })
        let subject = try Subject(registry.server.url(""))
        let error = await #expect(throws: UpstreamError.self) {
            try await subject.upstream.manifest(tag, in: repository)
        }
        #expect(error?.label == "unusable")
    }

    @Test(
        "a token, and the answer that brings it, may be so large",
        arguments: [(65536, true), (65537, false), (1 << 20, false)]
    )
    func tokenSize(size: Int, isUsed: Bool) async throws {
        let token = String(repeating: "x", count: size)
        let registry = TokenRegistry(
            accepts: { request, _ in request["Authorization"] == "Bearer \(token)" },
            token: { _, _ in .text(200, [:], #"{"token":"\#(token)"}"#) }
        )
        let subject = try Subject(registry.server.url(""))
        let manifest = try? await subject.upstream.manifest(tag, in: repository)
        #expect((manifest != nil) == isUsed)
    }

    @Test("are remembered: later requests bring their token, one for each repository")
    func remembered() async throws {
        let registry = TokenRegistry(accepts: { request, _ in request["Authorization"] != nil })
        let subject = try Subject(registry.server.url(""))
        let other = try RepositoryName("library/redis")
        for name in [repository, repository, other] { _ = try await subject.upstream.manifest(tag, in: name) }
        #expect(registry.lines == ["nothing", "token", "Bearer T1", "Bearer T1", "token", "Bearer T2"])
        #expect(registry.tokenRequests.last?.target == "/token?service=s&scope=repository:library/redis:pull")
    }

    @Test("a scope that names no repository serves for all")
    func foreignScope() async throws {
        let registry = TokenRegistry(challenge: #"Bearer realm="REALM",scope="aws""#)
        let subject = try Subject(registry.server.url(""))
        for name in [repository, try RepositoryName("other/name")] {
            _ = try await subject.upstream.manifest(tag, in: name)
        }
        #expect(registry.lines == ["nothing", "token", "Bearer T1", "Bearer T1"])
    }

    @Test("many at once cost one token")
    func singleFlight() async throws {
        let registry = TokenRegistry()
        let subject = try Subject(registry.server.url(""))
        try await withThrowingTaskGroup { group in
            for _ in 0..<20 { group.addTask { _ = try await subject.upstream.headManifest(tag, in: repository) } }
            try await group.waitForAll()
        }
        #expect(registry.tokenRequests.count == 1)
    }

    @Test("a token that is no longer taken is replaced, once")
    func replaced() async throws {
        let revoked = Locked(false)
        let registry = TokenRegistry(accepts: { request, newest in
            request["Authorization"] == "Bearer T\(newest)" && !(revoked.withLock { $0 } && newest == 1)
        })
        let subject = try Subject(registry.server.url(""))
        _ = try await subject.upstream.manifest(tag, in: repository)
        revoked.withLock { $0 = true }
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(registry.lines == ["nothing", "token", "Bearer T1", "Bearer T1", "token", "Bearer T2"])
    }

    @Test("a new token that is refused means denied, and no further tries")
    func denied() async throws {
        let registry = TokenRegistry(accepts: { _, _ in false })
        let subject = try Subject(registry.server.url(""))
        await #expect(throws: UpstreamError.denied) { try await subject.upstream.manifest(tag, in: repository) }
        #expect(registry.lines == ["nothing", "token", "Bearer T1"])
    }

    @Test("a refusal without a challenge is followed by one try without a token")
    func stripped() async throws {
        let tokens = LoopbackServer { _ in .text(200, [:], #"{"token":"T"}"#) }
        let realm = tokens.url("/token")
        let server = LoopbackServer { request in
            switch request["Authorization"] {
            case nil where request.path.contains("redis"):
                .reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)""#])
            case nil: .reply(200)
            default: request.path.contains("redis") ? .reply(200) : .reply(401)
            }
        }
        let subject = try Subject(server.url(""))
        _ = try await subject.upstream.manifest(tag, in: RepositoryName("library/redis"))
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(server.requests.suffix(2).map { $0["Authorization"] } == ["Bearer T", nil])
    }

    @Test(
        "an anonymous refusal at the token endpoint",
        arguments: [
            (401, UpstreamError.denied), (403, .denied), (404, .denied), (500, .unavailable(.status(500))),
            (503, .unavailable(.status(503))), (429, .abuseLimited(retryAfter: .seconds(7))),
        ]
    )
    func refusals(status: Int, expected: UpstreamError) async throws {
        let registry = TokenRegistry(token: { _, _ in .text(status, ["Retry-After": "7"], "") })
        let subject = try Subject(registry.server.url(""))
        await #expect(throws: expected) { try await subject.upstream.manifest(tag, in: repository) }
    }

    @Test("registries that ask for nothing are shown nothing, and /v2/ is not asked")
    func noAuthorisation() async throws {
        let server = LoopbackServer { _ in .reply(200) }
        let subject = try Subject(server.url("")) { $0.credentials = .password(username: "u", Secret("p")) }
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(server.requests.map { $0["Authorization"] } == [nil])
        #expect(server.requests.map(\.path) == [ManifestTests.path])
    }
}
