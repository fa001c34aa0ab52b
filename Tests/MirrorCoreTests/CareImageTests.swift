import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("What the cache has of its images", .timeLimit(.minutes(1)))
struct CareImageTests {
    @Test(
        "names are read as people write them",
        arguments: [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("docker.io/nginx", "docker.io/library/nginx:latest"),
            ("docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27"),
            ("index.docker.io/org/app", "docker.io/org/app:latest"),
            ("ghcr.io/org/app:tag", "ghcr.io/org/app:tag"),
            ("registry.example:5000/app", "registry.example:5000/app:latest"),
            (
                "nginx:1@sha256:\(String(repeating: "a", count: 64))",
                "docker.io/library/nginx@sha256:\(String(repeating: "a", count: 64))"
            ),
        ]
    )
    func names(text: String, meaning: String) throws {
        let directory = UpstreamDirectory(
            upstreams: [.dockerHub: [], UpstreamName("ghcr.io"): [], UpstreamName("registry.example:5000"): []],
            defaultUpstream: .dockerHub
        )
        #expect("\(try ImageName(text, in: directory))" == meaning)
    }

    @Test(
        "what is no name is said to be none",
        arguments: ["", "Nginx", "nginx:", "nginx@latest", "nginx@", "a b", "/x"]
    )
    func badNames(text: String) async throws {
        await #expect(throws: CareError.malformed(text)) { try await CareBench().reports(.show(text)) }
    }

    @Test("an upstream that is not configured is named")
    func unknownUpstream() async throws {
        await #expect(throws: CareError.upstreamUnknown("quay.io")) {
            try await CareBench().reports(.show("quay.io/org/app"))
        }
    }

    @Test("an image whose tag was checked too long ago would not be served, unless it is pinned")
    func checkedLongAgo() async throws {
        let care = CareBench()
        try await care.pull("1", care.publish("nginx", "1", "config", "layer"))
        care.bench.clock.advance(by: .seconds(31 * 86_400))
        #expect(try await care.show("nginx:1").survival == .unserved)
        #expect(try await care.images(incompleteOnly: true).map(\.reference) == ["docker.io/library/nginx:1"])
        // What the report says is what a client would see.
        care.bench.hub.change { $0.outage = [.headManifest: .unavailable(.refused)] }
        await #expect(throws: MirrorError.self) { try await care.bench.manifest("1") }
        try await care.reports(.pin("nginx:1"))
        #expect(try await care.show("nginx:1").survival == .whole)
        #expect(try await care.bench.manifest("1").bytes != nil)
    }

    @Test("what is left of an upstream that is no longer configured can be shown and removed")
    func formerUpstream() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        let repository = Repository(upstream: UpstreamName("quay.io"), name: try RepositoryName("org/app"))
        let record = try #require(care.bench.index.tag(OCI.Tag("1"), in: care.bench.repository("nginx")))
        care.bench.index.post([.tag(try OCI.Tag("1"), in: repository, record)])
        #expect(try await care.images().map(\.reference).contains("quay.io/org/app:1"))
        #expect(try await care.show("quay.io/org/app:1").survival == .absent)
        #expect(try await care.removed(.remove("quay.io/org/app:1")).records == 1)
        #expect(try await care.show("nginx:1").survival == .whole)
        await #expect(throws: CareError.upstreamUnknown("gcr.io")) { try await care.show("gcr.io/org/app:1") }
    }

    @Test("a list has each image with its own size; shared layers are in the total once")
    func list() async throws {
        let care = CareBench()
        let one = care.publish("nginx", "1", "config one", "shared layer")
        let two = care.publish("org/app", "2", "config two", "shared layer")
        try await care.pull("1", one)
        try await care.pull("2", two)
        let images = try await care.images()
        #expect(images.map(\.reference) == ["docker.io/library/nginx:1", "docker.io/org/app:2"])
        #expect(images.allSatisfy { $0.survival == .whole && $0.platforms == nil && $0.missingBytes == 0 })
        let totals = care.bench.index.totals()
        let manifests = try [one, two].map { try #require(care.bench.hub.bytes(ofManifest: $0.digest)).count }
        #expect(images.map(\.size) == manifests.map { $0 + "config one".utf8.count + "shared layer".utf8.count })
        let end = try await care.reports(.list(incompleteOnly: false)).last
        #expect(end == .total(ListTotal(images: 2, incomplete: 0, size: totals.blobBytes + totals.manifestBytes)))
        #expect(images.map(\.size).reduce(0, +) == totals.blobBytes + totals.manifestBytes + "shared layer".utf8.count)
    }

    @Test("what was pulled by digest alone is listed by it, and members of an index are not")
    func byDigest() async throws {
        let care = CareBench()
        let amd = care.publish("nginx", nil, "amd config", "amd layer")
        let alone = care.publish("nginx", nil, "config", "layer")
        _ = try care.publish(index: "1", of: [("linux/amd64", amd)])
        _ = try await care.bench.manifest("1", "nginx")
        try await care.pull("\(amd.digest)", amd)
        try await care.pull("\(alone.digest)", alone)
        let names = try await care.images().map(\.reference)
        #expect(names == ["docker.io/library/nginx:1", "docker.io/library/nginx@\(alone.digest)"])
    }

    @Test("an index survives for the platforms that were pulled whole, and no longer when a layer is lost")
    func platforms() async throws {
        let care = CareBench()
        let amd = care.publish("nginx", nil, "amd config", "amd layer")
        let arm = care.publish("nginx", nil, "arm config", "arm layer")
        let digest = try care.publish(index: "1", of: [("linux/amd64", amd), ("linux/arm64", arm)])
        _ = try await care.bench.manifest("1", "nginx")
        await care.bench.settled()
        #expect(try await care.show("nginx:1").survival == .incomplete, "nothing but the index")

        try await care.pull("\(amd.digest)", amd)
        let partial = try await care.show("nginx:1")
        #expect(partial.survival == .partial && partial.digest == "\(digest)")
        #expect(partial.platformCount == 2 && partial.completePlatforms == 1)
        #expect(partial.platforms?.map(\.platform) == ["linux/amd64", "linux/arm64"])
        #expect(partial.platforms?.map(\.isComplete) == [true, false])
        #expect(try await care.images(incompleteOnly: true).isEmpty)

        care.bench.index.post([.lost(amd.blobs[1], .blob)])
        let incomplete = try await care.show("nginx:1")
        #expect(incomplete.survival == .incomplete && incomplete.missingBytes == "amd layer".utf8.count)
        #expect(incomplete.platforms?.first?.missing == ["\(amd.blobs[1])"])
        #expect(try await care.images(incompleteOnly: true).map(\.reference) == ["docker.io/library/nginx:1"])

        try await care.pull("\(amd.digest)", amd)
        try await care.pull("\(arm.digest)", arm)
        #expect(try await care.show("nginx:1").survival == .whole)
    }

    @Test("a blob that came by another repository counts when it is proved, as a pull would have it")
    func unproved() async throws {
        let care = CareBench()
        let one = care.publish("nginx", "1", "config one", "shared layer")
        let two = care.publish("org/app", "2", "config two", "shared layer")
        try await care.pull("1", one)
        _ = try await care.bench.manifest("2", "org/app")
        _ = try await care.bench.blob(two.blobs[0], "org/app")
        await care.bench.settled()
        let holding = try await care.show("org/app:2")
        #expect(holding.survival == .incomplete)
        #expect(holding.platforms?.first?.unproved == ["\(two.blobs[1])"])
        // What the report says is what a client would see.
        care.bench.hub.change { content in
            for kind in [FakeUpstream.Kind.headBlob, .blob] { content.outage[kind] = .unavailable(.refused) }
        }
        await #expect(throws: MirrorError.self) { try await care.bench.blob(two.blobs[1], "org/app") }
        care.bench.hub.change { $0.outage = [:] }
        _ = try await care.bench.blob(two.blobs[1], "org/app")
        await care.bench.settled()
        #expect(try await care.show("org/app:2").survival == .whole)
    }

    @Test("a tag that has moved on is shown as what would be served")
    func older() async throws {
        let care = CareBench()
        let old = care.publish("nginx", "1", "old config", "old layer")
        try await care.pull("1", old)
        let new = care.publish("nginx", "1", "new config", "new layer")
        let repository = try care.bench.repository("nginx")
        let tag = try OCI.Tag("1")
        var record = try #require(care.bench.index.tag(tag, in: repository))
        record.held = .init(digest: old.digest, checkedAt: record.checkedAt)
        record.digest = new.digest
        care.bench.index.post([.tag(tag, in: repository, record)])
        let holding = try await care.show("nginx:1")
        #expect(holding.isOlder && holding.digest == "\(old.digest)" && holding.survival == .whole)
    }

    @Test("pins are kept, shown and taken away; what is not pinned cannot be unpinned")
    func pins() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        let early = try await care.reports(.pin("nginx:1"))
        #expect(early == [.pin(PinState(reference: "docker.io/library/nginx:1", isPinned: true, survival: .absent))])
        try await care.pull("1", image)
        #expect(try await care.show("nginx:1").isPinned)
        await #expect(throws: CareError.pinned("docker.io/library/nginx:1")) {
            try await care.reports(.remove("nginx:1"))
        }
        try await care.reports(.unpin("nginx:1"))
        #expect(try await !care.show("nginx:1").isPinned)
        await #expect(throws: CareError.notPinned("docker.io/library/nginx:1")) {
            try await care.reports(.unpin("nginx:1"))
        }
    }

    @Test("the sums are of what there is")
    func stats() async throws {
        let care = CareBench()
        let limits = care.bench.mirror.context.keeper.limits
        let image = care.publish("nginx", "1", "config", "layer")
        let stray = care.bench.hub.add(blob: Array("stray".utf8))
        try await care.pull("1", image)
        _ = try await care.bench.blob(stray)
        await care.bench.settled()
        try await care.reports(.pin("nginx:1"))
        care.bench.store.leave([1, 2, 3], of: sha256([9]))
        guard case .stats(let stats)? = try await care.reports(.stats).last else {
            Issue.record("no sums")
            return
        }
        #expect(stats.manifests == 1 && stats.blobs == 3 && stats.tags == 1 && stats.repositories == 1)
        #expect(stats.unreferencedBlobs == 1 && stats.unreferencedBytes == 5)
        #expect(stats.pins == 1 && stats.pinnedObjects == 3)
        #expect(stats.unfinished == 1 && stats.unfinishedBytes == 3 && stats.spoolBytes == 3)
        #expect(stats.maxSize == nil && stats.minFree == limits.minFree && stats.maxManifestsSize == nil)
        #expect(stats.indexBytes == 4096 && stats.oldestUse != nil)
    }
}
