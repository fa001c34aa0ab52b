import HTTPTesting
import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("A mirror elsewhere", .timeLimit(.minutes(1)))
struct RemoteMirrorTests {
    private let hello = Array("hello".utf8)
    private let nginx: MirrorCore.Repository

    init() {
        nginx = MirrorCore.Repository(upstream: .dockerHub, name: repository)
    }

    /// A subject must live for as long as its mirror is used.
    private func withMirror(
        _ handler: @escaping LoopbackServer.Handler,
        _ body: (RemoteMirror, LoopbackServer) async throws -> Void
    ) async throws {
        let server = LoopbackServer(handler)
        let subject = try Subject(server.url(""))
        try await body(RemoteMirror(subject.upstream), server)
        withExtendedLifetime(subject) {}
    }

    @Test("upstreams are named in every request")
    func namespaces() async throws {
        try await withMirror { _ in
            .reply(200, ["Content-Type": "application/json"], body: Array(#"{"name":"x","tags":["1","2"]}"#.utf8))
        } _: { mirror, server async throws in
            #expect(try await mirror.repository("nginx", of: "docker.io") == nginx)
            #expect(try await mirror.tags(in: nginx) == ["1", "2"])
            #expect(server.requests.map(\.line) == ["GET /v2/library/nginx/tags/list?ns=docker.io"])
        }
    }

    @Test(
        "a manifest was read upstream unless the mirror says otherwise",
        arguments: [
            ("tidepool; hit", false), ("tidepool; fwd=miss; stored", true), ("tidepool; fwd=miss; collapsed", false),
            ("", true),
        ]
    )
    func reads(status: String, wasRead: Bool) async throws {
        let hello = hello
        try await withMirror { _ in
            .reply(200, ["Cache-Status": status], body: hello)
        } _: { mirror, _ async throws in
            let manifest = try await mirror.manifest(digest, in: nginx, keeping: nil)
            #expect(manifest == WarmManifest(bytes: hello, wasRead: wasRead))
        }
    }

    @Test("what does not have its digest is refused")
    func corrupt() async throws {
        try await withMirror { _ in
            .reply(200, body: [1])
        } _: { mirror, _ async throws in
            await #expect(throws: MirrorError.corrupt) { try await mirror.manifest(digest, in: nginx, keeping: nil) }
            await #expect(throws: MirrorError.corrupt) { try await mirror.warm(digest, in: nginx) { _ in } }
        }
    }

    @Test("a blob that breaks off goes on from there")
    func resumed() async throws {
        try await withMirror { request in
            guard request["Range"] == nil else {
                return .reply(206, ["Content-Range": "bytes 2-4/5"], body: Array("llo".utf8))
            }
            return .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe".utf8))
        } _: { mirror, server async throws in
            let counts = Locked<[Int]>([])
            try await mirror.warm(digest, in: nginx) { count in counts.withLock { $0.append(count) } }
            #expect(counts.withLock { $0.last } == 5)
            #expect(server.requests.map { $0["Range"] } == [nil, "bytes=2-"])
        }
    }

    @Test("held is what the mirror says is a hit, and not what is stale")
    func holdings() async throws {
        try await withMirror { request in
            let status = request.path.contains("manifests") ? "tidepool; hit; detail=stale" : "tidepool; hit"
            return .reply(200, ["Cache-Status": status, "Content-Length": "5"])
        } _: { mirror, server async throws in
            #expect(try await mirror.holdings(of: [digest], in: nginx) == [.held])
            #expect(try await mirror.heldManifest(digest, in: nginx) == nil)
            #expect(server.requests.allSatisfy { $0.method == "HEAD" })
        }
    }
}
