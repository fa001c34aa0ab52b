import Logging
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Damage is found before it is served", .timeLimit(.minutes(1)))
struct DamageTests {
    typealias Harm = VerificationTests.Harm

    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    @Test("a bad blob is fetched anew in the same request, counted and put aside", arguments: Harm.allCases)
    func blob(harm: Harm) async throws {
        let bench = Bench()
        let digest = try await storedBlob(bench)
        try harm.befall(digest, .blob, bench)
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        #expect(bench.metrics.value(of: .damaged, "blob") == 1)
        #expect(bench.log.messages(.error).contains { $0.hasPrefix("stored content is bad") })
        #expect(bench.store.quarantined == (harm == .deleted ? [] : [digest]))
        #expect(bench.store.bytes(of: digest, .blob) == bytes)
        #expect(bench.isStored(digest))
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.count(.blob) == 2)
        #expect(bench.metrics.value(of: .damaged, "blob") == 1)
    }

    @Test("a blob that was touched and is right is hashed once, and not fetched")
    func touchedBlob() async throws {
        let bench = Bench()
        let digest = try await storedBlob(bench)
        bench.store.touch(digest, .blob)
        let repository = try bench.repository("nginx")
        #expect(bench.mirror.cachedBlob(digest, in: repository, for: bench.caller) == nil)
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.mirror.cachedBlob(digest, in: repository, for: bench.caller) != nil)
        #expect(bench.hub.count(.blob) == 1)
        #expect(bench.metrics.value(of: .damaged, "blob") == 0)
    }

    @Test("many who ask for a bad blob cause one look and one fetch")
    func herd() async throws {
        let bench = Bench()
        let digest = try await storedBlob(bench)
        try Harm.flipped.befall(digest, .blob, bench)
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 { group.addTask { try await bench.blob(digest) } }
            for try await got in group { #expect(got == bytes) }
        }
        await bench.settled()
        #expect(bench.metrics.value(of: .damaged, "blob") == 1)
        #expect(bench.hub.count(.blob) == 2)
    }

    @Test("a large manifest's bad file costs one read, and no wrong byte", arguments: Harm.allCases)
    func manifest(harm: Harm) async throws {
        let bench = Bench()
        let document = largeDocument
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        try harm.befall(digest, .manifest, bench)
        for reference in ["1", "\(digest)", "1"] {
            #expect(try await bench.manifest(reference).bytes == Array(document.utf8))
        }
        #expect(bench.hub.count(.manifest) == 2)
        #expect(bench.metrics.value(of: .damaged, "manifest") == 1)
        #expect(bench.store.bytes(of: digest, .manifest) == Array(document.utf8))
    }

    @Test("a large manifest that was touched costs nothing")
    func touchedManifest() async throws {
        let bench = Bench()
        let document = largeDocument
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.store.touch(digest, .manifest)
        #expect(try await bench.manifest("1").bytes == Array(document.utf8))
        #expect(bench.hub.count(.manifest) == 1)
        #expect(!bench.store.isDoubtful(digest, .manifest))
    }

    @Test("while the upstream is down a bad blob is an error, and right again when it is back")
    func outage() async throws {
        let bench = Bench { $0.retries = 0 }
        let digest = try await storedBlob(bench)
        try Harm.flipped.befall(digest, .blob, bench)
        bench.hub.change { $0.outage = [.blob: .unavailable(.timeout), .headBlob: .unavailable(.timeout)] }
        for _ in 0..<2 {
            await #expect { try await bench.blob(digest) } throws: { error in
                if case .unavailable? = error as? MirrorError { true } else { false }
            }
        }
        #expect(bench.metrics.value(of: .damaged, "blob") == 1)
        #expect(bench.mirror.damages.entries.map(\.digest) == [digest])
        bench.hub.change { $0.outage = [:] }
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("what the index cannot forget is not served all the same")
    func indexFails() async throws {
        let bench = Bench()
        let digest = try await storedBlob(bench)
        try Harm.flipped.befall(digest, .blob, bench)
        bench.index.failCommits(with: .failed("no"))
        await #expect(throws: MirrorError.storageFailed) { try await bench.blob(digest) }
        bench.index.failCommits(with: nil)
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("after the index was lost what was touched is hashed before it is recorded")
    func strays() async throws {
        let bench = Bench()
        let right = sha256(bytes)
        try await bench.store.store(bytes, as: right, .blob)
        bench.store.touch(right, .blob)
        let wrong = sha256([1])
        bench.store.damage(wrong, .blob, to: [2])
        await bench.mirror.recordStrays()
        #expect(bench.isStored(right) && !bench.store.isDoubtful(right, .blob))
        #expect(!bench.isStored(wrong))
        #expect(bench.store.quarantined == [wrong])
        #expect(bench.metrics.value(of: .damaged, "blob") == 1)
        #expect(!bench.index.isRebuildPending)
    }

    // MARK: - Manifests that are in the index too

    @Test("a small manifest's bad file is written anew from the index, for no quota", arguments: Harm.allCases)
    func copyInIndex(harm: Harm) async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        let bytes = try #require(care.bench.store.bytes(of: image.digest, .manifest))
        try harm.befall(image.digest, .manifest, care.bench)
        #expect(try await care.damage(.verify(VerifyOptions())).map(\.remedy) == [.restored])
        #expect(care.bench.store.bytes(of: image.digest, .manifest) == bytes)
        #expect(try await care.verified().damaged == 0)
        #expect(care.bench.hub.count(.manifest) == 1)
        #expect(care.bench.metrics.value(of: .damaged, "manifest") == 1)
    }

    @Test("a bad copy in the index is written anew from the file")
    func damagedCopy() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        let bytes = try #require(care.bench.store.bytes(of: image.digest, .manifest))
        var wrong = bytes
        wrong[5] ^= 1
        care.bench.index.post([.manifest(image.digest, bytes: wrong, references: [])])
        _ = try await care.verified()
        #expect(try await care.bench.manifest("1").bytes == bytes)
        #expect(care.bench.hub.count(.manifest) == 1)
        #expect(care.bench.metrics.value(of: .damaged, "manifest") == 1)
    }

    // MARK: - Parts

    /// Larger than what the index keeps itself.
    private var largeDocument: String {
        let filler = String(repeating: "x", count: 40 << 10)
        return #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","annotations":{"a":"\#(filler)"}}"#
    }

    private func storedBlob(_ bench: Bench) async throws -> Digest {
        let digest = bench.hub.add(blob: bytes)
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        try #require(bench.isStored(digest))
        return digest
    }
}
