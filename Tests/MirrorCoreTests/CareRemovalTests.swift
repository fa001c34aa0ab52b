import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Removing from the cache", .timeLimit(.minutes(1)))
struct CareRemovalTests {
    @Test("an image goes with what only it needs")
    func image() async throws {
        let care = CareBench()
        let one = care.publish("nginx", "1", "config one", "shared layer")
        let two = care.publish("nginx", "2", "config two", "shared layer")
        try await care.pull("1", one)
        try await care.pull("2", two)
        let removed = try await care.removed(.remove("nginx:1"))
        #expect(removed.manifests == 1 && removed.blobs == 1)
        #expect(!care.isStored(one.digest, .manifest) && !care.isStored(one.blobs[0], .blob))
        #expect(care.isStored(two.digest, .manifest) && care.isStored(two.blobs[1], .blob))
        #expect(try await care.images().map(\.reference) == ["docker.io/library/nginx:2"])
        await #expect(throws: CareError.unknown("docker.io/library/nginx:1")) {
            try await care.reports(.remove("nginx:1"))
        }
        // The next pull fetches it as if it had never been.
        try await care.pull("1", one)
        #expect(try await care.show("nginx:1").survival == .whole)
    }

    @Test("what another tag or another repository has stays")
    func shared() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        care.bench.hub.change { $0.tags["2"] = image.digest }
        try await care.pull("1", image)
        _ = try await care.bench.manifest("2", "nginx")
        _ = try await care.bench.manifest("1", "org/app")
        await care.bench.settled()
        for name in ["nginx:1", "nginx:2"] {
            #expect(try await care.removed(.remove(name)).manifests == 0)
            #expect(care.isStored(image.digest, .manifest) && care.isStored(image.blobs[1], .blob))
        }
        #expect(try await care.removed(.remove("org/app:1")).manifests == 1)
        #expect(!care.isStored(image.blobs[1], .blob))
    }

    @Test("an index goes with its platforms, but for those that have a tag or a pin")
    func index() async throws {
        let care = CareBench()
        let amd = care.publish("nginx", "amd", "amd config", "amd layer")
        let arm = care.publish("nginx", nil, "arm config", "arm layer")
        let digest = try care.publish(index: "1", of: [("linux/amd64", amd), ("linux/arm64", arm)])
        _ = try await care.bench.manifest("1", "nginx")
        try await care.pull("amd", amd)
        try await care.pull("\(arm.digest)", arm)
        #expect(try await care.removed(.remove("nginx:1")).manifests == 2)
        #expect(!care.isStored(digest, .manifest) && !care.isStored(arm.digest, .manifest))
        #expect(!care.isStored(arm.blobs[1], .blob))
        #expect(try await care.show("nginx:amd").survival == .whole)
    }

    @Test("a tag of one platform goes, and the index that lists it can be pulled as before")
    func platformOfAnIndex() async throws {
        let care = CareBench()
        let amd = care.publish("nginx", "amd", "amd config", "amd layer")
        _ = try care.publish(index: "1", of: [("linux/amd64", amd)])
        _ = try await care.bench.manifest("1", "nginx")
        try await care.pull("amd", amd)
        #expect(try await care.removed(.remove("nginx:amd")) == RemovedTotal(records: 1))
        #expect(try await care.show("nginx:1").survival == .whole)
        // Named by its digest it goes all the same.
        #expect(try await care.removed(.remove("nginx@\(amd.digest)")).manifests == 1)
        #expect(try await care.show("nginx:1").survival == .incomplete)
    }

    @Test("what is pinned by its digest outlives its tag, and is not removed by its digest either")
    func pinnedDigest() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        try await care.reports(.pin("nginx@\(image.digest)"))
        #expect(try await care.removed(.remove("nginx:1")) == RemovedTotal(records: 1))
        #expect(try await care.show("nginx@\(image.digest)").survival == .whole)
        await #expect(throws: CareError.pinned("docker.io/library/nginx@\(image.digest)")) {
            try await care.reports(.remove("nginx@\(image.digest)"))
        }
    }

    @Test("an image that is removed by its digest takes its tags with it")
    func byDigest() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        let removed = try await care.removed(.remove("nginx@\(image.digest)"))
        #expect(removed.manifests == 1 && removed.blobs == 2 && removed.records == 1)
        #expect(try await care.images().isEmpty)
    }

    @Test("a lost index is completed before anything is decided on it")
    func lostIndex() async throws {
        let care = CareBench(isIndexNew: true)
        let layer = Array("layer".utf8)
        let document = #"{"schemaVersion":2,"layers":[{"mediaType":"a/b","digest":"\#(sha256(layer))","size":5}]}"#
        let manifest = Array(document.utf8)
        let stray = Array("its manifest is not here".utf8)
        for (bytes, kind) in [(layer, ContentKind.blob), (stray, .blob), (manifest, .manifest)] {
            try await care.bench.store.store(bytes, as: sha256(bytes), kind)
        }
        care.catchUp()
        #expect(try await care.removed(.collect) == RemovedTotal())
        #expect(care.isStored(sha256(layer), .blob) && care.isStored(sha256(manifest), .manifest))
        #expect(care.isStored(sha256(stray), .blob), "for an hour")
        #expect(!care.bench.index.isRebuildPending)
    }

    @Test("nothing is removed while a lost index cannot be completed")
    func indexCannotBeCompleted() async throws {
        let care = CareBench(isIndexNew: true)
        try await care.bench.store.store([1], as: sha256([1]), .blob)
        care.bench.index.failCommits(with: .full)
        await #expect(throws: CareError.self) { try await care.reports(.collect) }
        #expect(care.bench.store.bytes(of: sha256([1]), .blob) == [1])
    }

    @Test("gc removes blobs that no manifest has once nobody has used them for an hour")
    func garbage() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        let stray = care.bench.hub.add(blob: Array("stray".utf8))
        try await care.pull("1", image)
        _ = try await care.bench.blob(stray)
        await care.bench.settled()
        care.catchUp()
        #expect(try await care.removed(.collect).blobs == 0)
        care.bench.clock.advance(by: .seconds(3600))
        let removed = try await care.removed(.collect)
        #expect(removed.blobs == 1 && removed.bytes == 5)
        #expect(!care.isStored(stray, .blob))
        #expect(image.blobs.allSatisfy { care.isStored($0, .blob) })
    }

    @Test("gc removes files that the index does not know, and takes in manifests and what they name")
    func orphans() async throws {
        let care = CareBench()
        let blob = Array("orphan".utf8)
        let layer = Array("layer".utf8)
        let document = #"{"schemaVersion":2,"layers":[{"mediaType":"a/b","digest":"\#(sha256(layer))","size":5}]}"#
        let manifest = Array(document.utf8)
        try await care.bench.store.store(blob, as: sha256(blob), .blob)
        try await care.bench.store.store(layer, as: sha256(layer), .blob)
        try await care.bench.store.store(manifest, as: sha256(manifest), .manifest)
        care.bench.store.damage(sha256([7]), .manifest, to: [8])
        let removed = try await care.removed(.collect)
        #expect(removed.orphans == 2 && removed.adopted == 2)
        #expect(care.isStored(sha256(layer), .blob))
        #expect(care.bench.store.bytes(of: sha256(blob), .blob) == nil)
        #expect(care.bench.store.bytes(of: sha256([7]), .manifest) == nil)
        #expect(care.isStored(sha256(manifest), .manifest))
    }

    @Test("a blob that is on its way is no orphan")
    func onItsWay() async throws {
        let care = CareBench()
        let gate = Gate()
        let bytes = [UInt8](repeating: 5, count: 100_000)
        let digest = care.bench.hub.add(blob: bytes)
        care.bench.hub.change { $0.gate = (50_000, gate) }
        let answer = try await care.bench.mirror.blob(
            digest,
            in: care.bench.repository("nginx"),
            for: care.bench.caller
        )
        // As in the moment between its file's name and its record.
        try await care.bench.store.store(bytes, as: digest, .blob)
        #expect(try await care.removed(.collect).orphans == 0)
        #expect(care.bench.store.bytes(of: digest, .blob) == bytes)
        gate.open()
        guard case .growing(let blob, _) = answer else { return }
        #expect(try await drain(blob, 0..<bytes.count) == bytes)
        await care.bench.settled()
    }
}
