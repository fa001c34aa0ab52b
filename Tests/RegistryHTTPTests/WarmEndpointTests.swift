import Locking
import MirrorCore
import NIOHTTP1
import OCI
import Testing

@testable import RegistryHTTP

@Suite("Warming, by the control socket", .timeLimit(.minutes(1)))
struct WarmEndpointTests {
    private let path = "/tmp/tp-warm-\(UInt32.random(in: .min ... .max)).sock"

    private static let nginx = Repository(upstream: .dockerHub, name: valid { try RepositoryName("library/nginx") })
    private static let digest = valid { try Digest("sha256:" + String(repeating: "a", count: 64)) }
    private static let tag = valid { try OCI.Tag("1.27") }

    static let calls: [WarmCall] = [
        .repository(path: "library/nginx", registry: "docker.io"), .tags(nginx),
        .look(tag, nginx, isImmutable: false), .look(tag, nginx, isImmutable: true), .heldManifest(digest, nginx),
        .manifest(digest, nginx, reserve: nil), .manifest(digest, nginx, reserve: 5),
        .holdings([digest, digest, digest], nginx), .blob(digest, nginx), .referrers(digest, nginx),
        .quota(UpstreamName("registry.example:5000")),
    ]

    static let everyLine: [WarmLine] = [
        .repository(nginx), .tags(["1", "2"]), .tags([]),
        .tag(WarmTag(digest: digest, mediaType: MediaType.ociIndex, size: 5)), .heldManifest(nil),
        .heldManifest(HeldManifest(bytes: [1, 2, 255], isProved: true)),
        .manifest(WarmManifest(bytes: [], wasRead: true)), .manifest(WarmManifest(bytes: [0], wasRead: false)),
        .holdings([.held, .unproved, .missing(received: 0), .missing(received: 7)]), .received(0), .stored,
        .referrers([1]), .quota(WarmQuota()),
        .quota(WarmQuota(limit: 1, remaining: 2, reserve: 3, resetsAt: WallTime(milliseconds: 5000))),
        .error(.upstreamUnknown("quay.io")), .error(.manifestUnknown), .error(.shuttingDown),
        .error(.limited(.reserve, retryAfter: .milliseconds(1500))), .error(.limited(.pull, retryAfter: nil)),
        .error(.unavailable(reason: "dns", retryAfter: .seconds(2))),
    ]

    @Test("each call is a request, and the other way round", arguments: calls)
    func targets(call: WarmCall) throws {
        #expect(try WarmCall(RequestTarget(call.target)) == call)
    }

    @Test("each line survives its JSON", arguments: everyLine)
    func json(line: WarmLine) throws {
        #expect(try WarmLine(json: line.json) == line)
        #expect(line.json.last == UInt8(ascii: "\n") && line.json.count { $0 == UInt8(ascii: "\n") } == 1)
    }

    @Test("as many blobs as a call may ask about fit into a request")
    func mostBlobs() async throws {
        let call = WarmCall.holdings(Array(repeating: Self.digest, count: WarmCall.mostBlobs), Self.nginx)
        #expect(call.target.utf8.count < RegistryServer.Limits().uriBytes)
        #expect(try WarmCall(RequestTarget(call.target)) == call)
    }

    private func request(_ target: String, method: String = "POST") async throws -> RawResponse {
        let client = try await RawClient(unixSocket: path)
        try await client.send("\(method) \(target) HTTP/1.1\r\nHost: tidepool\r\nContent-Length: 0\r\n\r\n")
        return try await client.response()
    }

    private func withControlSocket(_ body: (LiveServer) async throws -> Void) async throws {
        try await withServer({ $0.controlSocket = path }, body: body)
    }

    private func lines(_ response: RawResponse) throws -> [WarmLine] {
        try response.body.split(separator: UInt8(ascii: "\n")).map { try WarmLine(json: Array($0)) }
    }

    @Test("a call is answered by lines, failures included")
    func answers() async throws {
        try await withControlSocket { _ async throws in
            let blob = try await request(WarmCall.blob(Self.digest, Self.nginx).target)
            #expect(blob.status == 200 && blob["content-type"] == "application/x-ndjson")
            #expect(try lines(blob) == [.received(5), .stored])
            let tags = try await request(WarmCall.tags(Self.nginx).target)
            #expect(try lines(tags) == [.error(.denied)])
        }
    }

    @Test(
        "what is no call is refused",
        arguments: [
            ("/-/api/warm/nothing?x=1", "POST", 404), ("/-/api/warm/quota?upstream=docker.io", "GET", 405),
            ("/-/api/warm/tags?upstream=docker.io", "POST", 400),
            ("/-/api/warm/blob?upstream=docker.io&repository=a/b&digest=sha256:00", "POST", 400),
        ]
    )
    func refusals(target: String, method: String, status: Int) async throws {
        try await withControlSocket { _ async throws in
            #expect(try await request(target, method: method).status == status)
        }
    }

    @Test("it is not there for clients of the registry")
    func publicPort() async throws {
        try await withServer { live async throws in
            let target = WarmCall.quota(.dockerHub).target
            #expect(try await live.request(target).status == 404)
            #expect(try await live.request(target, method: "POST", headers: ["Content-Length: 0"]).status == 405)
        }
    }
}

/// A value that the test wrote down itself, and that is known to be good.
private func valid<Value>(_ make: () throws -> Value) -> Value {
    do {
        return try make()
    } catch {
        fatalError("a fixture is not valid: \(error)")
    }
}
