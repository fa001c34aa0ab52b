import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Going on from what an earlier flight has left", .timeLimit(.minutes(1)))
struct ResumeTests {
    let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    /// A bench whose repository is known to have the blob, and whose store has the beginning of it.
    func bench(leaving count: Int, expectedLength: Int? = nil, isProved: Bool = true) throws -> (Bench, Digest) {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.store.leave(Array(bytes.prefix(count)), of: digest, expectedLength: expectedLength)
        if isProved { try prove(digest, bench) }
        return (bench, digest)
    }

    func prove(_ digest: Digest, _ bench: Bench) throws {
        let membership = Membership(mediaType: MediaType.octetStream, provedAt: bench.clock.timekeeper.wall())
        bench.index.post([.membership(digest, .blob, in: try bench.repository("nginx"), membership)])
    }

    @Test("the upstream is asked for the rest only", arguments: [nil, 600_000])
    func rest(expectedLength: Int?) async throws {
        let (bench, digest) = try bench(leaving: 400_000, expectedLength: expectedLength)
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        #expect(bench.hub.requests.filter { $0.kind == .blob }.map(\.offset) == [400_000])
        #expect(bench.hub.count(.headBlob) == 0)
        #expect(bench.isStored(digest))
        #expect(bench.store.unfinishedBlobs.isEmpty)
    }

    @Test("what is complete is verified and served without asking the upstream")
    func complete() async throws {
        let (bench, digest) = try bench(leaving: bytes.count, expectedLength: bytes.count)
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        #expect(bench.hub.requests.isEmpty)
        #expect(bench.isStored(digest))
    }

    @Test("what was killed before it landed is all there: the upstream has nothing behind it, and the digest decides")
    func completeUnnoted() async throws {
        let (bench, digest) = try bench(leaving: bytes.count)
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        #expect(bench.hub.requests.filter { $0.kind == .blob }.map(\.offset) == [bytes.count])
        #expect(bench.isStored(digest))
        #expect(bench.store.unfinishedBlobs.isEmpty)
    }

    @Test("what is longer than the blob is discarded, and the blob comes from the start")
    func tooLong() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.store.leave(bytes + [0], of: digest)
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        #expect(bench.hub.requests.filter { $0.kind == .blob }.map(\.offset) == [bytes.count + 1, 0])
        #expect(bench.isStored(digest))
    }

    @Test("a repository that is not proved to have the blob asks first, for nothing")
    func unproved() async throws {
        let (bench, digest) = try bench(leaving: 400_000, isProved: false)
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.requests.map(\.kind) == [.headBlob, .blob])
        #expect(bench.hub.requests.last?.offset == 400_000)
    }

    @Test("a repository that has not the blob is not given what came for another")
    func foreign() async throws {
        let (bench, digest) = try bench(leaving: bytes.count, expectedLength: bytes.count, isProved: false)
        bench.hub.change { $0.only = ["library/nginx": []] }
        await #expect(throws: MirrorError.blobUnknown) { try await bench.blob(digest) }
        #expect(bench.store.unfinishedBlobs.count == 1)
    }

    @Test("the head is given while the upstream has not answered yet")
    func headFirst() async throws {
        let (bench, digest) = try bench(leaving: 400_000, expectedLength: bytes.count)
        let gate = Gate()
        bench.hub.change { $0.gate = (400_000, gate) }
        let answer = try await bench.mirror.blob(digest, in: bench.repository("nginx"), for: bench.caller)
        guard case .growing(let blob, _) = answer else {
            Issue.record("not growing")
            return
        }
        #expect(blob.length == bytes.count)
        let client = SlowClient(blob, 0..<bytes.count)
        try await client.read(upTo: 400_000)
        gate.open()
        try await client.readToEnd()
        #expect(client.bytes == bytes)
    }

    @Test("what is wrong is discarded, and the blob comes from the start, twice if need be")
    func wrong() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        try prove(digest, bench)
        bench.store.leave(Array(repeating: 7, count: 400_000), of: digest)
        // The upstream is wrong once, too: that is still forgiven.
        bench.hub.change { $0.spoiled = (500_000, 2) }
        let blob = try await bench.mirror.blob(digest, in: bench.repository("nginx"), for: bench.caller)
        guard case .growing(let blob, _) = blob else {
            Issue.record("not growing")
            return
        }
        // A range that nothing wrong was given of.
        #expect(try await drain(blob, 599_999..<600_000) == [bytes[599_999]])
        await bench.settled()
        #expect(bench.hub.requests.map(\.offset) == [400_000, 0, 0])
        #expect(bench.store.unfinishedBlobs.isEmpty)
        #expect(bench.store.openSpools == 0)
    }

    @Test("an upstream that ignores the range sends again what is there")
    func ignoredRange() async throws {
        let (bench, digest) = try bench(leaving: 400_000)
        bench.hub.change { $0.ignoresRange = true }
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("what came before the retries were used up is left for the next flight")
    func exhausted() async throws {
        let bench = Bench { $0.retries = 1 }
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change {
            $0.cuts = [300_000]
            $0.failures[.blob] = [nil, .unavailable(.refused), .unavailable(.refused), .unavailable(.refused)]
        }
        await #expect(throws: MirrorError.self) { try await bench.blob(digest) }
        await bench.settled()
        #expect(bench.store.unfinishedBlobs.map(\.received) == [300_000])
        #expect(bench.store.unfinishedBlobs.map(\.expectedLength) == [bytes.count])
        bench.hub.change { $0.failures = [:] }
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.requests.last?.offset == 300_000)
    }

    @Test("shutting down leaves what has come")
    func shutdown() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (200_000, gate) }
        let blob = try await bench.mirror.blob(digest, in: bench.repository("nginx"), for: bench.caller)
        await gate.reached()
        async let end: Void = bench.mirror.shutDown()
        await Task.yield()
        gate.open()
        await end
        withExtendedLifetime(blob) {}
        #expect(bench.store.openSpools == 0)
        #expect(bench.store.unfinishedBlobs.allSatisfy { $0.received >= 200_000 })
        #expect(bench.store.unfinishedBlobs.count == 1 || bench.isStored(digest))
    }

    @Test("a length that the upstream denies is not believed for ever")
    func wrongLength() async throws {
        let (bench, digest) = try bench(leaving: 400_000, expectedLength: 500_000)
        await #expect(throws: MirrorError.self) { try await bench.blob(digest) }
        await bench.settled()
        #expect(bench.store.unfinishedBlobs.isEmpty)
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("in mid-blob an open circuit is waited for, and spends no retries")
    func circuit() async throws {
        let bench = Bench { $0.retries = 1 }
        let digest = bench.hub.add(blob: bytes)
        let open = UpstreamError.unavailable(.circuitOpen(retryAfter: .milliseconds(400)))
        bench.hub.change {
            $0.cuts = [100_000]
            $0.failures[.blob] = [nil] + Array(repeating: open, count: 20)
        }
        #expect(try await bench.blob(digest) == bytes)
    }
}
