import Locking
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Room for blobs", .timeLimit(.minutes(1)))
struct EvictionTests {
    /// Blobs of 100,000 bytes each.
    func blobs(_ count: Int, in bench: Bench) -> [Digest] {
        (0..<count)
            .map { number in
                bench.hub.add(blob: [UInt8(number)] + Array(repeating: 3, count: 99_999))
            }
    }

    func pull(_ digest: Digest, _ bench: Bench) async throws {
        _ = try await bench.blob(digest)
        await bench.settled()
        await bench.mirror.context.keeper.settled()
    }

    @Test("what was used least recently goes first, and the bound holds at every moment")
    func leastRecentlyUsed() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 500_000))
        let digests = blobs(12, in: bench)
        for digest in digests.prefix(4) { try await pull(digest, bench) }
        // Used again: it outlives the others.
        try await pull(digests[0], bench)
        for digest in digests.dropFirst(4) {
            try await pull(digest, bench)
            #expect(bench.index.totals().blobBytes <= 500_000)
            try await pull(digests[0], bench)
        }
        let evicted = bench.index.history.compactMap { change -> Digest? in
            guard case .evicted(let digest, .blob) = change else { return nil }
            return digest
        }
        #expect(evicted == Array(digests[1..<12].prefix(evicted.count)))
        #expect(evicted.count >= 7)
        #expect(bench.isStored(digests[0]))
        #expect(bench.hub.count(.blob) == 12)
        #expect(evicted.allSatisfy { bench.store.bytes(of: $0, .blob) == nil })
        #expect(bench.metrics.value(of: .evictions, "blob") == evicted.count)
    }

    @Test("what is being sent, in flight or pinned stays")
    func spared() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 400_000))
        let digests = blobs(6, in: bench)
        try await pull(digests[0], bench)
        try await pull(digests[1], bench)
        let repository = try bench.repository("nginx")
        bench.index.post([.pinned(.digest(digests[1]), in: repository, since: .now())])
        let lease = try #require(bench.mirror.cachedBlob(digests[0], in: repository, for: bench.caller))
        for digest in digests.dropFirst(2) { try await pull(digest, bench) }
        #expect(bench.isStored(digests[0]))
        #expect(bench.isStored(digests[1]))
        #expect(!bench.isStored(digests[2]))
        withExtendedLifetime(lease) {}
    }

    @Test("a flight's length is promised to it before its bytes are there")
    func promises() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 250_000))
        let digests = blobs(3, in: bench)
        let gate = Gate()
        try await pull(digests[0], bench)
        bench.hub.change { $0.gate = (10, gate) }
        let repository = try bench.repository("nginx")
        let first = try await bench.mirror.blob(digests[1], in: repository, for: bench.caller)
        await gate.reached()
        // 100,000 are stored and as many promised: the third fits in only without the first.
        bench.hub.change { $0.gate = nil }
        _ = try await bench.mirror.blob(digests[2], in: repository, for: bench.caller)
        while !bench.isStored(digests[2]) { await Task.yield() }
        #expect(!bench.isStored(digests[0]))
        gate.open()
        await bench.settled()
        #expect(bench.isStored(digests[1]))
        withExtendedLifetime(first) {}
    }

    @Test("spools that wait go before blobs")
    func spoolsFirst() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 310_000))
        let digests = blobs(3, in: bench)
        try await pull(digests[0], bench)
        bench.store.leave(Array(repeating: 1, count: 100_000), of: sha256([9]))
        try await pull(digests[1], bench)
        try await pull(digests[2], bench)
        #expect(bench.store.unfinishedBlobs.isEmpty)
        #expect(bench.metrics.value(of: .evictions, "spool") == 1)
        #expect(bench.isStored(digests[2]))
    }

    @Test("a blob that is larger than the cache reaches its clients, costs nobody's content, and is not kept")
    func tooLarge() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 300_000))
        let small = blobs(1, in: bench)[0]
        try await pull(small, bench)
        let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let large = bench.hub.add(blob: bytes)
        #expect(try await bench.blob(large) == bytes)
        await bench.settled()
        #expect(bench.isStored(small))
        #expect(!bench.isStored(large))
        #expect(bench.store.openSpools == 0)
        #expect(bench.store.unfinishedBlobs.isEmpty)
    }

    @Test("a blob whose length nobody tells is promised room as it grows")
    func unknownLength() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 250_000))
        bench.hub.change {
            $0.omitsLength = true
            $0.outage[.headBlob] = .unavailable(.refused)
        }
        let digests = blobs(4, in: bench)
        for digest in digests { try await pull(digest, bench) }
        #expect(bench.index.totals().blobBytes <= 250_000)
        #expect(bench.isStored(digests[3]))
    }

    @Test("a full device is made room on, and the transfer goes on")
    func deviceFull() async throws {
        let bench = Bench()
        let digests = blobs(2, in: bench)
        try await pull(digests[0], bench)
        bench.store.failLanding(with: .full)
        _ = try await bench.blob(digests[1])
        await bench.settled()
        // Room was made for it, in vain: it waits for the next who asks.
        #expect(!bench.isStored(digests[0]))
        #expect(bench.store.unfinishedBlobs.map(\.digest) == [digests[1]])
        bench.store.failLanding(with: nil)
        try await pull(digests[1], bench)
        #expect(bench.isStored(digests[1]))
        #expect(bench.hub.count(.blob) == 2)
    }

    @Test("what others take of the device is given back to it")
    func minFree() async throws {
        let bench = Bench(space: SpaceLimits(minFree: 150_000))
        let digests = blobs(3, in: bench)
        bench.store.setSpace(StoreSpace(free: 1 << 30, total: 1 << 30))
        for digest in digests { try await pull(digest, bench) }
        bench.store.setSpace(StoreSpace(free: 100_000, total: 1 << 30))
        await bench.mirror.context.keeper.look()
        #expect(digests.map { bench.isStored($0) } == [false, true, true])
    }

    @Test("manifests have a bound of their own, and never make room for blobs")
    func manifests() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 150_000, maxManifestsSize: 1_000))
        let digests = (0..<6)
            .map { number in
                bench.hub.add(
                    tag: "v\(number)",
                    manifest: #"{"schemaVersion":2,"pad":"\#(String(repeating: "x", count: 300))\#(number)"}"#
                )
            }
        for number in 0..<3 { _ = try await bench.manifest("v\(number)") }
        for digest in blobs(5, in: bench) { try await pull(digest, bench) }
        #expect(digests.prefix(3).allSatisfy { bench.index.withManifest($0) { _, _ in true } == true })
        for number in 3..<6 { _ = try await bench.manifest("v\(number)") }
        await bench.mirror.context.keeper.look()
        #expect(bench.index.totals().manifestBytes <= 1_000)
        #expect(bench.index.withManifest(digests[5]) { _, _ in true } == true)
        #expect(bench.index.withManifest(digests[0]) { _, _ in true } == nil)
    }
}
