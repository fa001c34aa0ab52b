import Curl
import HTTPTesting
import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Redirects", .timeLimit(.minutes(1)))
struct RedirectTests {
    static let signed = "/registry-v2//blobs/data?Signature=a%2Bb%2f&Key=x+y"

    /// A registry that wants `Bearer R` and sends blobs on to `target`.
    private func registry(to target: String, status: Int = 307) -> LoopbackServer {
        LoopbackServer { request in
            request["Authorization"] == "Bearer R" ? .reply(status, ["Location": target]) : .reply(403)
        }
    }

    private func subject(_ server: LoopbackServer) throws -> Subject {
        try Subject(server.url("")) { $0.credentials = .token(Secret("R")) }
    }

    @Test("are followed without authorisation, with the range, and to the byte", arguments: [301, 302, 303, 307, 308])
    func followed(status: Int) async throws {
        let cdn = LoopbackServer { _ in .reply(206, ["Content-Range": "bytes 2-4/5"], body: [3, 4, 5]) }
        let target = "http://localhost:\(cdn.port)\(Self.signed)"
        let server = registry(to: target, status: status)
        let subject = try subject(server)
        let blob = try await subject.blob(from: 2)
        #expect(blob.bytes == [3, 4, 5])
        #expect(cdn.requests.map(\.line) == ["GET \(Self.signed)"])
        #expect(cdn.requests.map { $0["Authorization"] } == [nil])
        #expect((server.requests + cdn.requests).map { $0["Range"] } == ["bytes=2-", "bytes=2-"])
        #expect(!subject.log.text.contains("Signature"))
        #expect(subject.metrics.value(of: .upstreamRequests, "registry.example", "redirect", "206") == 1)
    }

    @Test("another port is another origin")
    func otherPort() async throws {
        let cdn = LoopbackServer { _ in .reply(200, body: [1]) }
        let server = registry(to: cdn.url("/data"))
        _ = try await subject(server).blob()
        #expect(cdn.requests.map { $0["Authorization"] } == [nil])
    }

    @Test("on the registry's own origin keep authorisation, and may be relative")
    func relative() async throws {
        let server = LoopbackServer { request in
            request.path == "/artifacts-downloads/x"
                ? .reply(200, body: [1]) : .reply(302, ["Location": "/artifacts-downloads/x"])
        }
        _ = try await subject(server).blob()
        #expect(server.requests.map { $0["Authorization"] } == ["Bearer R", "Bearer R"])
    }

    @Test("of manifests are followed too")
    func manifests() async throws {
        let other = LoopbackServer { _ in .text(200, [:], "{}") }
        let server = LoopbackServer { _ in .reply(307, ["Location": other.url("/v2/k8s/manifests/1")]) }
        let manifest = try await Subject(server.url("")).upstream.manifest(tag, in: repository)
        #expect(manifest.bytes == Array("{}".utf8))
        #expect(other.requests.first?["Accept"] == MediaType.acceptedManifests)
    }

    @Test("end after five")
    func limit() async throws {
        let server = LoopbackServer { _ in .reply(302, ["Location": "/again"]) }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unusable("too many redirects")) { try await subject.blob() }
        #expect(server.requests.count == 6)
    }

    @Test(
        "to nowhere are not followed",
        arguments: [nil, "", "ftp://host/", "http://user@host/", "http://h ost/", "javascript:1"]
    )
    func nowhere(target: String?) async throws {
        let server = LoopbackServer { _ in .reply(302, target.map { ["Location": $0] } ?? [:]) }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unusable("a redirect to nowhere")) { try await subject.blob() }
    }

    @Test(
        "to link-local and metadata addresses are refused",
        arguments: [
            "169.254.169.254", "[fe80::1]", "100.100.100.200", "[fd00:ec2::254]", "0.0.0.0", "[::ffff:169.254.169.254]",
        ]
    )
    func metadata(host: String) async throws {
        let server = LoopbackServer { _ in .reply(302, ["Location": "http://\(host)/latest"]) }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unusable("an address that is not to be connected to")) {
            try await subject.blob()
        }
    }

    @Test("a CDN that refuses sends us back to the registry, once", arguments: [401, 403])
    func expired(status: Int) async throws {
        let cdn = LoopbackServer { $0.path == "/2" ? .reply(200, body: [1]) : .reply(status) }
        let count = Locked(0)
        let server = LoopbackServer { _ in
            let number = count.withLock { count in
                count += 1
                return count
            }
            return .reply(307, ["Location": cdn.url("/\(number)")])
        }
        let subject = try Subject(server.url(""))
        #expect(try await subject.blob().bytes == [1])
        #expect(cdn.requests.map(\.path) == ["/1", "/2"])
        await #expect(throws: UpstreamError.unavailable(.status(status))) { try await subject.blob() }
        #expect(cdn.requests.map(\.path) == ["/1", "/2", "/3", "/4"])
    }

    @Test("the target of a downgrade is not asked")
    func downgrade() throws {
        let secure = try #require(Location("https://registry.example/v2/"))
        let head = UpstreamHTTPTests.head(302, ["Location": "http://cdn.example/x"])
        #expect(throws: UpstreamError.unusable("a redirect from https to http")) {
            try Redirects.target(of: head, from: secure, insecureAllowed: false)
        }
        #expect(try Redirects.target(of: head, from: secure, insecureAllowed: true).text == "http://cdn.example/x")
    }

    @Test(
        "lead into a private network only from there",
        arguments: [
            ("https://203.0.113.7", "https://cdn.example", [:], always.union([.loopback, .privateUse])),
            ("https://registry.example", "https://cdn.example", [:], always.union([.loopback, .privateUse])),
            ("https://10.0.0.5", "https://cdn.example", [:], always.union([.loopback])),
            ("http://127.0.0.1:5000", "https://cdn.example", [:], always),
            ("http://localhost:5000", "https://cdn.example", [:], always),
            ("https://registry.example", "https://registry.example:8443", [:], []),
            ("https://registry.example", "https://auth.corp", [:], always),
            ("https://registry.example", "https://cdn.example", ["https_proxy": "http://10.0.0.1:3128"], always),
            (
                "https://registry.example", "https://10.0.0.9", ["https_proxy": "http://10.0.0.1:3128"],
                always.union([.loopback, .privateUse])
            ),
        ] as [(String, String, [String: String], Set<AddressClass>)]
    )
    func privateNetworks(
        endpoint: String,
        target: String,
        environment: [String: String],
        refused: Set<AddressClass>
    ) throws {
        let subject = try Subject(endpoint, environment: environment) { $0.trustedRealms = ["auth.corp"] }
        let location = try #require(Location(target))
        #expect(subject.upstream.client.requester.refusedAddresses(for: location) == refused)
    }

    private static let always: Set<AddressClass> = [.unspecified, .linkLocal, .metadata]
}
