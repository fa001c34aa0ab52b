import MirrorCore
import OCI
import Testing

@Suite("Manifests", .timeLimit(.minutes(1)))
struct ManifestTests {
    let document = #"{"schemaVersion":2,"layers":[]}"#

    @Test("a manifest that is held is never fetched again, through whatever repository it is asked for")
    func onceForAll() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: "1", manifest: document)
        for path in ["nginx", "org/one", "org/two"] {
            #expect(try await bench.manifest("1", path).bytes == Array(document.utf8))
            #expect(try await bench.manifest(digest.description, path).bytes == Array(document.utf8))
        }
        #expect(bench.hub.count(.manifest) == 1)
        #expect(bench.hub.count(.headManifest) == 3)
    }

    @Test("bytes that came by another repository are served after a HEAD has succeeded in this one")
    func membership() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: nil, manifest: document)
        _ = try await bench.manifest(digest.description)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest])
        _ = try await bench.manifest(digest.description, "org/one")
        _ = try await bench.manifest(digest.description, "org/one")
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest, .headManifest])
    }

    @Test("a digest that nothing names is asked for by HEAD, so that guesses cost no quota")
    func unknownDigest() async throws {
        let bench = Bench()
        await #expect(throws: MirrorError.manifestUnknown) { try await bench.manifest(sha256([1]).description) }
        #expect(bench.hub.requests.map(\.kind) == [.headManifest])
    }

    @Test("a child of an index that is held is fetched at once")
    func child() async throws {
        let bench = Bench()
        let child = bench.hub.add(tag: nil, manifest: document)
        let index = #"{"manifests":[{"mediaType":"a/b","digest":"\#(child)","size":\#(document.utf8.count)}]}"#
        bench.hub.add(tag: "1", manifest: index, mediaType: MediaType.ociIndex)
        _ = try await bench.manifest("1")
        _ = try await bench.manifest(child.description)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest, .manifest])
    }

    @Test("where HEADs are refused, a digest is fetched at once")
    func digestWithoutHeads() async throws {
        let bench = Bench()
        let digest = bench.other.add(tag: nil, manifest: document)
        bench.other.change { $0.outage = [.headManifest: .headUnsupported] }
        #expect(try await bench.manifest(digest.description, "ghcr.io/org/app").bytes == Array(document.utf8))
        #expect(bench.other.requests.map(\.kind) == [.headManifest, .manifest])
    }

    @Test("where HEADs are refused, another repository proves itself by a GET")
    func proofWithoutHeads() async throws {
        let bench = Bench()
        let digest = bench.other.add(tag: nil, manifest: document)
        bench.other.change { $0.outage = [.headManifest: .headUnsupported] }
        for path in ["ghcr.io/org/one", "ghcr.io/org/two"] {
            #expect(try await bench.manifest(digest.description, path).bytes == Array(document.utf8))
            #expect(try await bench.manifest(digest.description, path, headOnly: true).head.size == document.utf8.count)
        }
        #expect(bench.other.count(.headManifest) == 1)
    }

    @Test("a repository that does not have a manifest does not get it out of the cache")
    func noLeak() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: nil, manifest: document)
        bench.hub.change { $0.only["org/one"] = [] }
        _ = try await bench.manifest(digest.description)
        await #expect(throws: MirrorError.manifestUnknown) { try await bench.manifest(digest.description, "org/one") }
    }

    @Test("30 clients at once cost one GET")
    func herd() async throws {
        let bench = Bench()
        let gate = Gate()
        bench.hub.add(tag: "1", manifest: document)
        bench.hub.change { $0.headGate = gate }
        try await withThrowingTaskGroup { group in
            for _ in 0..<30 { group.addTask { try await bench.manifest("1").bytes } }
            await gate.reached()
            gate.open()
            for try await bytes in group { #expect(bytes == Array(document.utf8)) }
        }
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest])
    }

    @Test("a manifest with another digest is asked for once more, then refused and not kept")
    func wrongDigest() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: "1", manifest: document)
        bench.hub.change { $0.manifests[digest]?.bytes.append(32) }
        await #expect(throws: MirrorError.corrupt) { try await bench.manifest(digest.description) }
        #expect(bench.hub.count(.manifest) == 2)
        #expect(bench.metrics.value(of: .digestMismatches) == 2)
        bench.hub.change { $0.manifests[digest]?.bytes.removeLast() }
        #expect(try await bench.manifest(digest.description).bytes == Array(document.utf8))
    }

    @Test("the media type is the document's own, else what the repository's upstream said")
    func mediaType() async throws {
        let bench = Bench()
        let own = #"{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#
        bench.hub.add(tag: "own", manifest: own, mediaType: "text/html")
        bench.hub.add(tag: "told", manifest: document, mediaType: "application/vnd.example+json")
        bench.hub.add(tag: "bad", manifest: #"{"mediaType":"a/b\r\nX: y"}"#, mediaType: nil)
        #expect(try await bench.manifest("own").head.mediaType == MediaType.dockerManifest)
        #expect(try await bench.manifest("told").head.mediaType == "application/vnd.example+json")
        #expect(try await bench.manifest("bad").head.mediaType == MediaType.ociManifest)
    }

    @Test("a large manifest is served from its file")
    func large() async throws {
        let bench = Bench()
        let large = #"{"annotations":{"a":""# + String(repeating: "x", count: 100_000) + #""}}"#
        bench.hub.add(tag: "1", manifest: large)
        #expect(try await bench.manifest("1").bytes == Array(large.utf8))
        let warm = try await bench.manifest("1")
        #expect(warm.head.outcome == .hit && warm.bytes == Array(large.utf8))
    }

    @Test("a HEAD of a digest that is not held fetches nothing")
    func headOfDigest() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: nil, manifest: document)
        #expect(try await bench.manifest(digest.description, headOnly: true).head.size == document.utf8.count)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest])
    }

    @Test("allow and deny decide before anything is asked")
    func access() async throws {
        let bench = Bench {
            $0.allow = [Glob("library/*"), Glob("org/**")]
            $0.deny = [Glob("org/secret/**")]
        }
        bench.hub.add(tag: "1", manifest: document)
        for path in ["nginx", "org/app", "org/deep/app"] { _ = try await bench.manifest("1", path) }
        let before = bench.hub.requests.count
        for path in ["other/app", "org/secret/app"] {
            await #expect(throws: MirrorError.forbidden) { try await bench.manifest("1", path) }
        }
        #expect(bench.hub.requests.count == before)
    }
}
