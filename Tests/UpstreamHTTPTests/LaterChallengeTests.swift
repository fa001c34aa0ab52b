import HTTPTesting
import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

/// Challenges that ask for something else than those before them.
@Suite("Later challenges", .timeLimit(.minutes(1)))
struct LaterChallengeTests {
    /// A token server whose tokens name their scope.
    private static func tokens() -> LoopbackServer {
        LoopbackServer { request in
            let scope = request.target.split(separator: "scope=").last ?? ""
            return .text(200, [:], #"{"token":"\#(scope)"}"#)
        }
    }

    private static func challenge(_ realm: String, _ scope: String) -> Response {
        .reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)",scope="\#(scope)""#])
    }

    @Test("the scope that a repository's challenge named is brought from then on")
    func scopeIsRemembered() async throws {
        let tokens = Self.tokens()
        let realm = tokens.url("/token")
        let scope = "repository:virtual/library/nginx:pull"
        let server = LoopbackServer { request in
            request["Authorization"] == "Bearer \(scope)" ? .text(200, [:], "{}") : Self.challenge(realm, scope)
        }
        let subject = try Subject(server.url(""))
        _ = try await subject.upstream.headManifest(tag, in: repository)
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(server.requests.map { $0["Authorization"] } == [nil, "Bearer \(scope)", "Bearer \(scope)"])
    }

    @Test("a repository whose scope is not the expected one gets a token for it, after one refusal")
    func scopeIsLearnt() async throws {
        let tokens = Self.tokens()
        let realm = tokens.url("/token")
        let server = LoopbackServer { request in
            let isRedis = request.path.contains("redis")
            let scope = "repository:\(isRedis ? "virtual/redis" : "library/nginx"):pull"
            return request["Authorization"] == "Bearer \(scope)" ? .text(200, [:], "{}") : Self.challenge(realm, scope)
        }
        let subject = try Subject(server.url(""))
        let redis = try RepositoryName("library/redis")
        for name in [repository, redis, redis] { _ = try await subject.upstream.manifest(tag, in: name) }
        #expect(
            server.requests.dropFirst(2).map { $0["Authorization"] } == [
                "Bearer repository:library/redis:pull", "Bearer repository:virtual/redis:pull",
                "Bearer repository:virtual/redis:pull",
            ]
        )
    }

    @Test("a registry that asks for something new each time is given up")
    func endless() async throws {
        let tokens = Self.tokens()
        let realm = tokens.url("/token")
        let count = Locked(0)
        let server = LoopbackServer { _ in
            let number = count.withLock { count in
                count += 1
                return count
            }
            return Self.challenge(realm, "words\(number)")
        }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.denied) { try await subject.upstream.manifest(tag, in: repository) }
        #expect(server.requests.count == 3)
    }

    @Test("a remembered realm that fails is not the end: the registry may name another", arguments: [403, 404, 500])
    func realmMoves(status: Int) async throws {
        let tokens = Self.tokens()
        let hasMoved = Locked(false)
        let old = LoopbackServer { _ in
            hasMoved.withLock { $0 } ? .reply(status) : .text(200, [:], #"{"token":"repository:library/nginx:pull"}"#)
        }
        let realms = (old: old.url("/token"), new: tokens.url("/token"))
        let server = LoopbackServer { request in
            if request["Authorization"] != nil { return .text(200, [:], "{}") }
            let scope = "repository:library/\(request.path.contains("redis") ? "redis" : "nginx"):pull"
            return Self.challenge(hasMoved.withLock { $0 } ? realms.new : realms.old, scope)
        }
        let subject = try Subject(server.url(""))
        _ = try await subject.upstream.manifest(tag, in: repository)
        hasMoved.withLock { $0 = true }
        _ = try await subject.upstream.manifest(tag, in: RepositoryName("library/redis"))
        #expect(
            server.requests.suffix(2).map { $0["Authorization"] } == [nil, "Bearer repository:library/redis:pull"]
        )
    }

    @Test("a remembered realm that fails, and is named again, is not asked a second time")
    func realmStays() async throws {
        let registry = TokenRegistry(token: { _, number in
            number == 1 ? .text(200, [:], #"{"token":"T1"}"#) : .reply(503)
        })
        let subject = try Subject(registry.server.url(""))
        _ = try await subject.upstream.manifest(tag, in: repository)
        await #expect(throws: UpstreamError.unavailable(.status(503))) {
            try await subject.upstream.manifest(tag, in: RepositoryName("library/redis"))
        }
        #expect(registry.lines == ["nothing", "token", "Bearer T1", "token", "nothing"])
    }
}
