import Logging
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Content sources", .timeLimit(.minutes(1)))
struct ContentSourceTests {
    let layer = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    func bench(_ repositories: String...) -> Bench {
        Bench {
            $0.contentSources = [
                .init(name: UpstreamName("mirror.example"), repositories: repositories.map { Glob($0) })
            ]
        }
    }

    struct Image {
        var index: Digest
        var manifest: Digest
        var layer: Digest
    }

    /// Puts an image under the tag `1`: an index, a manifest, a layer.
    @discardableResult
    func add(to upstream: FakeUpstream) -> Image {
        let layer = upstream.add(blob: layer)
        let size = self.layer.count
        let manifest = #"{"layers":[{"mediaType":"a/b","digest":"\#(layer)","size":\#(size)}]}"#
        let child = upstream.add(tag: nil, manifest: manifest)
        let index = #"{"manifests":[{"mediaType":"a/b","digest":"\#(child)","size":\#(manifest.utf8.count)}]}"#
        let digest = upstream.add(tag: "1", manifest: index, mediaType: MediaType.ociIndex)
        return Image(index: digest, manifest: child, layer: layer)
    }

    /// What a client does: the tag, the manifest of its platform, the layer.
    func pull(_ bench: Bench, _ image: Image, _ path: String = "nginx") async throws {
        #expect(try await bench.manifest("1", path).head.digest == image.index)
        _ = try await bench.manifest(image.manifest.description, path)
        #expect(try await bench.blob(image.layer, path) == layer)
        await bench.settled()
    }

    @Test("with a source that holds the image, the upstream sees one HEAD of the tag")
    func headsOnly() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        try await pull(bench, image)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest])
        #expect(bench.source.requests.map(\.kind) == [.manifest, .manifest, .blob])
        #expect(bench.source.requests.allSatisfy { $0.reference.hasPrefix("sha256:") })
        try await pull(bench, image)
        #expect(bench.hub.requests.count == 1)
        #expect(bench.source.requests.count == 3)
    }

    @Test("the media type is what the upstream said, and not what a source does")
    func mediaType() async throws {
        let bench = bench()
        let document = #"{"schemaVersion":2}"#
        bench.hub.add(tag: "1", manifest: document, mediaType: "application/vnd.example+json")
        bench.source.add(tag: nil, manifest: document, mediaType: "text/html")
        #expect(try await bench.manifest("1").head.mediaType == "application/vnd.example+json")
        #expect(try await bench.manifest("1").head.mediaType == "application/vnd.example+json")
        #expect(bench.hub.count(.manifest) == 0)
    }

    @Test("repositories that a source is not for are not told to it")
    func globs() async throws {
        let bench = bench("library/*")
        let image = add(to: bench.hub)
        add(to: bench.source)
        try await pull(bench, image, "org/private")
        #expect(bench.source.requests.isEmpty)
        #expect(bench.hub.count(.manifest) == 2)
    }

    @Test(
        "what a source does not give comes from the upstream",
        arguments: [
            UpstreamError.notFound, .denied, .unavailable(.refused), .unavailable(.status(500)), .unusable("x"),
            .pullLimited(retryAfter: nil), .abuseLimited(retryAfter: .seconds(60)), .credentialsRefused,
        ]
    )
    func fallsThrough(failure: UpstreamError) async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        bench.source.change { $0.outage = [.manifest: failure, .blob: failure] }
        try await pull(bench, image)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest, .manifest, .blob])
    }

    @Test("a source whose circuit is open is not asked")
    func failing() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        bench.source.change { $0.isFailing = true }
        try await pull(bench, image)
        #expect(bench.source.requests.isEmpty)
    }

    @Test("a source that sends a wrong manifest is set aside, and nothing wrong is kept")
    func wrongManifest() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        bench.source.change { $0.manifests[image.index]?.bytes.append(32) }
        try await pull(bench, image)
        #expect(bench.source.requests.count == 1)
        #expect(bench.hub.count(.manifest) == 2)
        #expect(bench.metrics.value(of: .digestMismatches) == 1)
        #expect(bench.log.messages(.warning).count == 1)
    }

    @Test("a source that sends a wrong layer is set aside, and clients that saw none of it go on with the upstream's")
    func wrongLayer() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        bench.source.change { $0.spoiled = (layer.count - 5, 1) }
        try await pull(bench, image)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .blob])
        #expect(bench.metrics.value(of: .digestMismatches) == 1)
        #expect(bench.store.openSpools == 0)
    }

    @Test("a wrong layer of a source does not count against the upstream, which may be wrong once")
    func wrongLayers() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        bench.source.change { $0.spoiled = (layer.count - 5, 1) }
        bench.hub.change { $0.spoiled = (layer.count - 6, 1) }
        try await pull(bench, image)
        #expect(bench.hub.count(.blob) == 2)
        #expect(bench.metrics.value(of: .digestMismatches) == 2)
        #expect(bench.store.openSpools == 0)
    }

    @Test("a source that has a layer of another length is not believed")
    func otherLength() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        bench.source.change { $0.blobs[image.layer]?.append(0) }
        try await pull(bench, image)
        #expect(bench.hub.count(.blob) == 1)
        #expect(bench.metrics.value(of: .digestMismatches) == 0)
    }

    @Test("a transfer that breaks at a source goes on at the upstream from the last byte")
    func resumes() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        bench.source.change { $0.cuts = [200_000] }
        try await pull(bench, image)
        #expect(bench.hub.requests.filter { $0.kind == .blob }.map(\.offset) == [200_000])
    }

    @Test("wrong bytes before a break are found at the end, and all of it comes from the upstream")
    func wrongBeforeBreak() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        bench.source.change {
            $0.spoiled = (layer.count - 20_000, 1)
            $0.cuts = [layer.count - 10_000]
        }
        let blob = try await growing(bench, image)
        // This client has asked for nothing that was wrong.
        #expect(try await drain(blob, 0..<100_000) == Array(layer[..<100_000]))
        await bench.settled()
        #expect(bench.hub.requests.filter { $0.kind == .blob }.map(\.offset) == [layer.count - 10_000, 0])
        #expect(bench.isStored(image.layer))
    }

    private func growing(_ bench: Bench, _ image: Image) async throws -> any GrowingBlob {
        _ = try await bench.manifest("1")
        _ = try await bench.manifest(image.manifest.description)
        let answer = try await bench.mirror.blob(image.layer, in: bench.repository("nginx"), for: bench.caller)
        guard case .growing(let blob, _) = answer else {
            Issue.record("not growing")
            throw MirrorError.blobUnknown
        }
        return blob
    }

    @Test("a digest that nothing claims is proved by a HEAD at the upstream before a source is asked")
    func proof() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        _ = try await bench.manifest(image.manifest.description)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest])
        let blob = bench.hub.add(blob: [1, 2, 3])
        bench.source.add(blob: [1, 2, 3])
        #expect(try await bench.blob(blob) == [1, 2, 3])
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .headBlob])
    }

    @Test("what a repository does not have is not had from a source, though another repository's manifest names it")
    func noLeak() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        _ = try await bench.manifest("1")
        _ = try await bench.manifest(image.manifest.description)
        await bench.settled()
        bench.hub.change { $0.only["org/none"] = [] }
        let before = bench.source.requests.count
        await #expect(throws: MirrorError.blobUnknown) { try await bench.blob(image.layer, "org/none") }
        await #expect(throws: MirrorError.manifestUnknown) {
            try await bench.manifest(image.manifest.description, "org/none")
        }
        #expect(bench.source.requests.count == before)
    }

    @Test("with the upstream out, what the repository is known to have still comes from a source")
    func outage() async throws {
        let bench = bench()
        let image = add(to: bench.hub)
        add(to: bench.source)
        _ = try await bench.manifest("1")
        await bench.settled()
        bench.hub.change { $0.isFailing = true }
        let before = bench.hub.requests.count
        _ = try await bench.manifest(image.manifest.description)
        #expect(try await bench.blob(image.layer) == layer)
        #expect(bench.hub.requests.count == before)
    }

    @Test("with quota exhausted and a source for the repository, tags are still checked and followed, less often")
    func exhausted() async throws {
        let bench = bench()
        add(to: bench.hub)
        add(to: bench.source)
        _ = try await bench.manifest("1")
        bench.ledger.set(.exhausted)
        bench.clock.advance(by: .seconds(599))
        #expect(try await bench.manifest("1").head.outcome == .hit)
        bench.clock.advance(by: .seconds(2))
        for upstream in [bench.hub, bench.source] { upstream.add(tag: "1", manifest: #"{"manifests":[]}"#) }
        #expect(try await bench.manifest("1").head.outcome == .miss)
        #expect(bench.hub.count(.manifest) == 0)
    }
}
