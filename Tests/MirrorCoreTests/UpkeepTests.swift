import Logging
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Files that the index does not know", .timeLimit(.minutes(1)))
struct UpkeepTests {
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    func put(_ bytes: [UInt8], _ kind: ContentKind, in bench: Bench) async throws -> Digest {
        let digest = sha256(bytes)
        try await bench.store.store(bytes, as: digest, kind)
        return digest
    }

    @Test("a lost index is rebuilt from the files, and asks the upstream nothing")
    func rebuild() async throws {
        let bench = Bench()
        let blob = try await put(bytes, .blob, in: bench)
        let document = #"{"schemaVersion":2,"layers":[{"mediaType":"a/b","digest":"\#(blob)","size":300000}]}"#
        let manifest = try await put(Array(document.utf8), .manifest, in: bench)
        #expect(bench.index.isRebuildPending)
        await bench.mirror.recordStrays()
        #expect(!bench.index.isRebuildPending)
        #expect(bench.index.blobSize(blob) == bytes.count)
        #expect(bench.index.withManifest(manifest) { size, _ in size } == document.utf8.count)
        #expect(bench.index.claimedSize(of: blob) == bytes.count)
        #expect(bench.hub.requests.isEmpty)
    }

    @Test("a file that a crash has left out of the index is recorded, within the bound")
    func strays() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 700_000))
        bench.index.post([.rebuilt])
        for number in 0..<5 { _ = try await put([UInt8(number)] + bytes, .blob, in: bench) }
        await bench.mirror.recordStrays()
        await bench.mirror.context.keeper.settled()
        #expect(bench.index.totals().blobs == 2)
        #expect(bench.index.totals().blobBytes <= 700_000)
    }

    @Test("what was evicted after it was found is not recorded")
    func foundAndEvicted() async throws {
        let bench = Bench()
        let held = try await put(bytes, .blob, in: bench)
        let gone = sha256([1])
        let changes: [IndexChange] = [.blob(gone, size: 1), .blob(held, size: bytes.count)]
        #expect(try await bench.mirror.recordFound(changes) == 1)
        #expect(bench.isStored(held) && !bench.isStored(gone))
        await bench.mirror.record(found: .blob(gone, size: 1))
        #expect(!bench.isStored(gone))
    }

    @Test("a blob on the disk is given before it is recorded, once the repository is proved to have it")
    func adoptedBlob() async throws {
        let bench = Bench()
        let digest = try await put(bytes, .blob, in: bench)
        bench.hub.add(blob: bytes)
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.requests.map(\.kind) == [.headBlob])
        #expect(bench.isStored(digest))
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.requests.count == 1)
    }

    @Test("a damaged file is not adopted, and fetched in the same request")
    func damagedBlob() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.store.damage(digest, .blob, to: Array(bytes.dropLast()))
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        #expect(bench.store.quarantined == [digest])
        #expect(bench.isStored(digest))
    }

    @Test("a manifest on the disk costs a HEAD and no quota")
    func adoptedManifest() async throws {
        let bench = Bench()
        let document = #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await put(Array(document.utf8), .manifest, in: bench)
        #expect(try await bench.manifest("1").bytes == Array(document.utf8))
        #expect(bench.hub.count(.manifest) == 0)
        #expect(bench.index.withManifest(digest) { _, _ in true } == true)
    }

    @Test("with a full index blobs are kept and served from their files, and a warning says what to raise")
    func fullIndex() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.index.failCommits(with: .full)
        for _ in 0..<3 {
            #expect(try await bench.blob(digest) == bytes)
            await bench.settled()
        }
        await bench.mirror.context.keeper.settled()
        #expect(bench.hub.count(.blob) == 1)
        #expect(!bench.isStored(digest))
        #expect(bench.log.messages(.warning).contains { $0.contains("cache.index_map_size") })
    }

    @Test("upkeep ends with the mirror")
    func ends() async throws {
        let bench = Bench()
        _ = try await put(bytes, .blob, in: bench)
        bench.mirror.startUpkeep()
        while bench.index.isRebuildPending { await Task.yield() }
        await bench.mirror.shutDown()
        #expect(bench.index.totals().blobs == 1)
    }
}
