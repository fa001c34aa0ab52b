import FoundationEssentials
import HTTPTesting
import Locking
import Logging
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Credentials", .timeLimit(.minutes(1)))
struct CredentialTests {
    static let password = CredentialChoice.password(username: "user", Secret("pa:ss"))
    /// Base64 of `user:pa:ss`.
    static let basic = "Basic dXNlcjpwYTpzcw=="

    @Test("a password goes to the token endpoint, and nowhere else")
    func password() async throws {
        let registry = TokenRegistry()
        let subject = try Subject(registry.server.url("")) { $0.credentials = Self.password }
        _ = try await subject.upstream.manifest(tag, in: repository)
        let request = try #require(registry.tokenRequests.first)
        #expect(request.target == "/token?service=s&scope=repository:library/nginx:pull&account=user")
        #expect(request["Authorization"] == Self.basic)
        #expect(registry.lines == ["nothing", "token", "Bearer T1"])
    }

    @Test("a realm on a host of another name is asked without credentials, and that is said once")
    func foreignRealm() async throws {
        let tokens = LoopbackServer { _ in .text(200, [:], #"{"token":"T"}"#) }
        let realm = "http://localhost:\(tokens.port)/token"
        let server = LoopbackServer { request in
            request["Authorization"] == "Bearer T"
                ? .reply(200) : .reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)""#])
        }
        let subject = try Subject(server.url("")) { $0.credentials = Self.password }
        _ = try await subject.upstream.manifest(tag, in: repository)
        _ = try await subject.upstream.manifest(tag, in: RepositoryName("library/redis"))
        #expect(tokens.requests.map { $0["Authorization"] } == [nil, nil])
        #expect(tokens.requests.allSatisfy { !$0.target.contains("account") })
        #expect(subject.log.count(of: "asked without credentials") == 1)
    }

    @Test("unless the settings trust it", arguments: ["localhost", "localhost:PORT", "http://localhost:PORT/"])
    func trustedRealm(entry: String) async throws {
        let tokens = LoopbackServer { _ in .text(200, [:], #"{"token":"T"}"#) }
        let realm = "http://localhost:\(tokens.port)/token"
        let server = LoopbackServer { request in
            request["Authorization"] == "Bearer T"
                ? .reply(200) : .reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)""#])
        }
        let subject = try Subject(server.url("")) {
            $0.credentials = Self.password
            $0.trustedRealms = [entry.replacing("PORT", with: String(tokens.port))]
        }
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(tokens.requests.map { $0["Authorization"] } == [Self.basic])
    }

    @Test("that are refused are our fault, and are not tried again at once", arguments: [401, 429])
    func refused(status: Int) async throws {
        let registry = TokenRegistry(token: { _, _ in .text(status, [:], "too many failed login attempts") })
        let subject = try Subject(registry.server.url("")) { $0.credentials = Self.password }
        let expected: UpstreamError = status == 401 ? .credentialsRefused : .abuseLimited(retryAfter: nil)
        for _ in 0..<3 {
            await #expect(throws: expected) { try await subject.upstream.manifest(tag, in: repository) }
        }
        #expect(registry.tokenRequests.count == 1)
    }

    @Test("what the token endpoint refuses for a repository is not their fault", arguments: [403, 404])
    func repositoryRefused(status: Int) async throws {
        let registry = TokenRegistry(token: { _, _ in .reply(status) })
        let subject = try Subject(registry.server.url("")) { $0.credentials = Self.password }
        await #expect(throws: UpstreamError.denied) { try await subject.upstream.manifest(tag, in: repository) }
    }

    @Test("a Basic challenge is answered by the password, on every later request too")
    func basicChallenge() async throws {
        let server = LoopbackServer { request in
            request["Authorization"] == Self.basic
                ? .reply(200) : .reply(401, ["WWW-Authenticate": #"Basic realm="https://elsewhere/",service="ecr""#])
        }
        let subject = try Subject(server.url("")) { $0.credentials = Self.password }
        for _ in 0..<2 { _ = try await subject.upstream.manifest(tag, in: repository) }
        #expect(server.requests.map { $0["Authorization"] } == [nil, Self.basic, Self.basic])
    }

    @Test("a Basic challenge without a password means denied, and with a wrong one that they are refused")
    func basicRefused() async throws {
        let server = LoopbackServer { _ in .reply(401, ["WWW-Authenticate": "Basic realm=x"]) }
        let anonymous = try Subject(server.url("")) { $0.credentials = .anonymous }
        await #expect(throws: UpstreamError.denied) { try await anonymous.upstream.manifest(tag, in: repository) }
        #expect(server.requests.count == 1)
        let subject = try Subject(server.url("")) { $0.credentials = Self.password }
        for _ in 0..<3 {
            await #expect(throws: UpstreamError.credentialsRefused) {
                try await subject.upstream.manifest(tag, in: repository)
            }
        }
        #expect(server.requests.filter { $0["Authorization"] != nil }.count == 1)
    }

    @Test("a registry token is sent as it is, from the first request on")
    func registryToken() async throws {
        let server = LoopbackServer { _ in .reply(200) }
        let subject = try Subject(server.url("")) { $0.credentials = .token(Secret("R")) }
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(server.requests.map { $0["Authorization"] } == ["Bearer R"])
    }

    @Test("an identity token is exchanged by a form")
    func identityToken() async throws {
        let registry = TokenRegistry(token: { _, _ in .text(200, [:], #"{"access_token":"T1"}"#) })
        let config = #"{"auths":{"registry.example":{"auth":"MDAwOg==","identitytoken":"re/fresh+"}}}"#
        let subject = try Subject(registry.server.url(""), environment: ["DOCKER_AUTH_CONFIG": config])
        _ = try await subject.upstream.manifest(tag, in: repository)
        let request = try #require(registry.tokenRequests.first)
        #expect(request.line == "POST /token")
        #expect(
            request.body == "service=s&scope=repository:library/nginx:pull&grant_type=refresh_token&client_id=tidepool"
                + "&refresh_token=re/fresh%2B"
        )
        #expect(registry.lines.last == "Bearer T1")
    }

    @Test("a helper's secret that has expired is asked for again")
    func helperRenewed() async throws {
        let registry = TokenRegistry(token: { request, number in
            request["Authorization"] == Self.basic ? .text(200, [:], #"{"token":"T\#(number)"}"#) : .reply(401)
        })
        let home = try HelperHome(
            config: #"{"credHelpers":{"registry.example":"fake"}}"#,
            helper: """
                read server
                [ -e "$HOME/asked" ] && secret='pa:ss' || secret='old'
                touch "$HOME/asked"
                printf '{"ServerURL":"%s","Username":"user","Secret":"%s"}' "$server" "$secret"
                """
        )
        let subject = try Subject(registry.server.url(""), environment: home.environment)
        _ = try await subject.upstream.manifest(tag, in: repository)
        #expect(registry.lines == ["nothing", "token", "token", "Bearer T2"])
    }

    @Test("a helper that fails is our fault, is not run for each request, and matters only to who wants credentials")
    func helperFails() async throws {
        let home = try HelperHome(
            config: #"{"credHelpers":{"registry.example":"fake"}}"#,
            helper: "echo run >> \"$HOME/runs\"; exit 1"
        )
        let registry = TokenRegistry()
        let subject = try Subject(registry.server.url(""), environment: home.environment)
        for _ in 0..<3 {
            await #expect(throws: UpstreamError.credentialsRefused) {
                try await subject.upstream.manifest(tag, in: repository)
            }
        }
        #expect(registry.tokenRequests.isEmpty)
        #expect(try home.text(of: "runs") == "run\n")
        let open = LoopbackServer { _ in .reply(200) }
        let other = try Subject(open.url(""), environment: home.environment)
        _ = try await other.upstream.manifest(tag, in: repository)
    }

    @Test("a helper whose secret stays refused is not asked for each request")
    func helperRefused() async throws {
        let home = try HelperHome(
            config: #"{"credHelpers":{"registry.example":"fake"}}"#,
            helper: """
                echo run >> "$HOME/runs"
                printf '{"ServerURL":"x","Username":"user","Secret":"old"}'
                """
        )
        let registry = TokenRegistry(token: { _, _ in .reply(401) })
        let subject = try Subject(registry.server.url(""), environment: home.environment)
        for _ in 0..<4 {
            await #expect(throws: UpstreamError.credentialsRefused) {
                try await subject.upstream.manifest(tag, in: repository)
            }
        }
        #expect(registry.tokenRequests.count == 1)
        #expect(try home.text(of: "runs") == "run\nrun\n")
    }

    @Test("no secret is logged, nor in an error")
    func secrecy() async throws {
        let registry = TokenRegistry(accepts: { _, _ in false })
        let subject = try Subject(registry.server.url("")) { $0.credentials = Self.password }
        let error = await #expect(throws: UpstreamError.self) {
            try await subject.upstream.manifest(tag, in: repository)
        }
        let shown = subject.log.text + "\(String(describing: error))" + subject.metrics.text()
        for secret in ["pa:ss", "dXNlcjpwYTpzcw", "T1"] { #expect(!shown.contains(secret)) }
        #expect(shown.contains("/token"))
    }
}
