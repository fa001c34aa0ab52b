import HTTPTesting
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Manifests", .timeLimit(.minutes(1)))
struct ManifestTests {
    static let path = "/v2/library/nginx/manifests/1.27"
    static let description: [String: String] = [
        "Content-Type": "application/vnd.oci.image.index.v1+json; charset=utf-8",
        "Docker-Content-Digest": digest.description,
    ]

    @Test("a HEAD tells digest, media type and size")
    func head() async throws {
        let server = LoopbackServer { _ in .reply(200, Self.description.merging(["Content-Length": "527"]) { $1 }) }
        let subject = try Subject(server.url(""))
        let description = try await subject.upstream.headManifest(tag, in: repository)
        #expect(description == ManifestDescription(digest: digest, mediaType: MediaType.ociIndex, size: 527))
        #expect(server.requests.map(\.line) == ["HEAD \(Self.path)"])
        #expect(subject.metrics.value(of: .upstreamRequests, "registry.example", "head", "200") == 1)
        #expect(subject.metrics.value(of: .upstreamUp, "registry.example") == 1)
    }

    @Test("what a HEAD leaves out, or garbles, is absent")
    func poorHead() async throws {
        let server = LoopbackServer { _ in
            .reply(200, ["Docker-Content-Digest": "md5:1", "Transfer-Encoding": "chunked", "Content-Length": "5"])
        }
        let description = try await Subject(server.url("")).upstream.headManifest(tag, in: repository)
        #expect(description == ManifestDescription(digest: nil, mediaType: nil, size: nil))
    }

    @Test("a GET brings the bytes as they are")
    func get() async throws {
        let server = LoopbackServer { _ in .text(200, Self.description, "{ }\n") }
        let subject = try Subject(server.url(""))
        let manifest = try await subject.upstream.manifest(.digest(digest), in: repository)
        #expect(manifest == FetchedManifest(bytes: Array("{ }\n".utf8), mediaType: MediaType.ociIndex))
        #expect(server.requests.map(\.line) == ["GET /v2/library/nginx/manifests/\(digest)"])
        #expect(subject.metrics.value(of: .upstreamReceivedBytes, "registry.example") == 4)
    }

    @Test("requests say what is accepted, who asks, and that nothing may be encoded")
    func fields() async throws {
        let server = LoopbackServer { _ in .reply(200) }
        let subject = try Subject(server.url(""))
        _ = try await subject.upstream.manifest(tag, in: repository)
        let request = try #require(server.requests.first)
        #expect(request["Accept"] == MediaType.acceptedManifests)
        #expect(request["Accept-Encoding"] == "identity")
        #expect(request["Via"] == "1.1 tidepool-test")
        #expect(request["User-Agent"] == "tidepool/0.0")
        #expect(request["Authorization"] == nil)
    }

    @Test("the endpoint may have a path", arguments: ["/mirror", "/mirror/", "/mirror/v2", "/mirror/v2/"])
    func endpointPath(path: String) async throws {
        let server = LoopbackServer { _ in .reply(200) }
        _ = try await Subject(server.url(path)).upstream.manifest(tag, in: repository)
        #expect(server.requests.map(\.line) == ["GET /mirror\(Self.path)"])
    }

    @Test(
        "an endpoint that is no URL is refused",
        arguments: ["registry.example", "ftp://a/", "https://u:p@a/", "https://a/?q"]
    )
    func endpoints(text: String) {
        #expect(throws: UpstreamOptionsError.endpoint(text)) { try Subject(text) }
    }

    @Test("a manifest above 4 MiB is not taken")
    func tooLarge() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [UInt8](repeating: 32, count: Manifest.maximumSize + 1)) }
        let subject = try Subject(server.url(""))
        let error = await #expect(throws: UpstreamError.self) {
            try await subject.upstream.manifest(tag, in: repository)
        }
        guard case .unusable = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    @Test("a content-encoded answer is not taken", arguments: ["gzip", "zstd", "identity, gzip"])
    func encoded(encoding: String) async throws {
        let server = LoopbackServer { _ in .reply(200, ["Content-Encoding": encoding], body: [1]) }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unusable("a content-encoded answer")) {
            try await subject.upstream.manifest(tag, in: repository)
        }
        await #expect(throws: UpstreamError.unusable("a content-encoded answer")) { try await subject.blob() }
    }

    @Test(
        "a status means",
        arguments: [
            (404, "", UpstreamError.notFound), (410, "", .notFound), (403, "", .denied),
            (403, "You have exceeded a secondary rate limit", .abuseLimited(retryAfter: .seconds(60))),
            (401, "", .denied), (500, "", .unavailable(.status(500))), (503, "", .unavailable(.status(503))),
            (400, "", .unavailable(.status(400))), (405, "", .unavailable(.status(405))),
            (400, #"{"errors":[{"code":"NAME_INVALID","message":"components: 1"}]}"#, .notFound),
            (204, "", .unavailable(.status(204))),
        ]
    )
    func statuses(status: Int, body: String, expected: UpstreamError) async throws {
        let server = LoopbackServer { _ in .text(status, [:], body) }
        let subject = try Subject(server.url(""))
        await #expect(throws: expected) { try await subject.upstream.manifest(tag, in: repository) }
    }

    @Test("a registry that does not answer HEADs is told apart", arguments: [405, 501])
    func headUnsupported(status: Int) async throws {
        let server = LoopbackServer { _ in .reply(status) }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.headUnsupported) {
            try await subject.upstream.headManifest(tag, in: repository)
        }
    }

    @Test("an outage is counted, and says what kind it is")
    func outage() async throws {
        let port = LoopbackServer { _ in .reply(200) }.port
        let subject = try Subject("http://127.0.0.1:\(port)")
        await #expect(throws: UpstreamError.unavailable(.refused)) {
            try await subject.upstream.manifest(tag, in: repository)
        }
        #expect(subject.metrics.value(of: .upstreamUp, "registry.example") == 0)
        #expect(subject.metrics.value(of: .upstreamRequests, "registry.example", "manifest", "refused") == 1)
    }

    @Test("cancelling the task ends the request")
    func cancels() async throws {
        let server = LoopbackServer { _ in .stall(after: "") }
        let subject = try Subject(server.url(""))
        let task = Task { try await subject.upstream.manifest(tag, in: repository) }
        try await server.waitForRequests(1)
        task.cancel()
        await #expect(throws: UpstreamError.cancelled) { try await task.value }
    }
}
