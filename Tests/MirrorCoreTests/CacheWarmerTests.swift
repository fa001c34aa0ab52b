import Locking
import OCI
import Testing

@testable import MirrorCore

@Suite("Warming the cache", .timeLimit(.minutes(1)))
struct CacheWarmerTests {
    private let document = #"{"schemaVersion":2,"layers":[]}"#
    private let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    private let one: OCI.Tag

    init() throws {
        one = try OCI.Tag("1")
    }

    @Test("a tag is looked up by one HEAD, and not again within tag_ttl")
    func look() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let digest = bench.hub.add(tag: "1", manifest: document)
        let repository = try await warmer.repository("nginx", of: "docker.io")
        for _ in 0..<2 {
            let tag = try await warmer.look(up: one, in: repository, isImmutable: false)
            #expect(tag == WarmTag(digest: digest, mediaType: MediaType.ociManifest, size: document.utf8.count))
        }
        #expect(bench.hub.requests.map(\.kind) == [.headManifest])
        bench.clock.advance(by: .seconds(61))
        _ = try await warmer.look(up: one, in: repository, isImmutable: false)
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("tag_ttl is not stretched when quota is scarce or used up: a HEAD costs none")
    func scarce() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        let moved = bench.hub.add(tag: "1", manifest: document + " ")
        bench.clock.advance(by: .seconds(61))
        bench.ledger.set(.exhausted)
        #expect(try await warmer.look(up: one, in: repository, isImmutable: false).digest == moved)
    }

    @Test("a tag that never moves takes no HEAD once its manifest is held")
    func immutable() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        bench.hub.add(tag: "1", manifest: document)
        _ = try await warmer.look(up: one, in: repository, isImmutable: true)
        bench.clock.advance(by: .seconds(61))
        _ = try await warmer.look(up: one, in: repository, isImmutable: true)
        #expect(bench.hub.count(.headManifest) == 2)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(10_000))
        _ = try await warmer.look(up: one, in: repository, isImmutable: true)
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("a tag that cannot be checked is a failure, whatever is held")
    func stale() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.headManifest: .unavailable(.refused)] }
        await #expect(throws: MirrorError.unavailable(reason: "refused", retryAfter: nil)) {
            try await warmer.look(up: one, in: repository, isImmutable: false)
        }
    }

    @Test("a tag list is asked for once within tag_ttl, and is never stale")
    func tags() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        bench.hub.add(tag: "1", manifest: document)
        for _ in 0..<2 {
            #expect(try await warmer.tags(in: repository) == ["1"])
            await bench.settled()
        }
        #expect(bench.hub.count(.tags) == 1)
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.tags: .unavailable(.refused)] }
        await #expect(throws: MirrorError.unavailable(reason: "refused", retryAfter: nil)) {
            try await warmer.tags(in: repository)
        }
    }

    @Test("a manifest is read once, as prewarm, with the reserve of the run")
    func manifest() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await warmer.look(up: one, in: repository, isImmutable: false)
        #expect(try await warmer.heldManifest(digest, in: repository) == nil)
        let read = try await warmer.manifest(digest, in: repository, keeping: 7)
        #expect(read == WarmManifest(bytes: Array(document.utf8), wasRead: true))
        let errand = try #require(bench.hub.lastErrand)
        #expect(errand.purpose == .prewarm && errand.reserve == 7)
        // Written down by the time that it is handed out here.
        let held = try await warmer.heldManifest(digest, in: repository)
        #expect(held == HeldManifest(bytes: read.bytes, isProved: true))
        #expect(try await warmer.manifest(digest, in: repository, keeping: nil).wasRead == false)
        #expect(bench.hub.count(.manifest) == 1)
    }

    @Test("a manifest that another repository has brought takes a HEAD, and no read")
    func sharedManifest() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        let other = try bench.repository("org/app")
        #expect(try await warmer.heldManifest(digest, in: other)?.isProved == false)
        #expect(try await warmer.manifest(digest, in: other, keeping: nil).wasRead == false)
        #expect(bench.hub.count(.manifest) == 1)
    }

    @Test("a blob is stored when it has been warmed, and told of on its way")
    func blob() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        let digest = bench.hub.add(blob: bytes)
        #expect(try await warmer.holdings(of: [digest], in: repository) == [.missing(received: 0)])
        let counts = Locked<[Int]>([])
        try await warmer.warm(digest, in: repository) { count in counts.withLock { $0.append(count) } }
        #expect(bench.isStored(digest))
        let told = counts.withLock { $0 }
        #expect(told == told.sorted() && told.last == bytes.count)
        #expect(try await warmer.holdings(of: [digest], in: repository) == [.held])
        #expect(try await warmer.holdings(of: [digest], in: bench.repository("org/app")) == [.unproved])
        try await warmer.warm(digest, in: repository) { _ in Issue.record("nothing comes") }
        #expect(bench.hub.requests.map(\.kind) == [.blob])
    }

    @Test("a pull and a prewarm of the same blob are one fetch")
    func sharedFlight() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (200_000, gate) }
        let pull = Task { try await bench.blob(digest) }
        await gate.reached()
        let warming = Task { try await warmer.warm(digest, in: repository) { _ in } }
        while bench.metrics.value(of: .flightFollowers) == 0 { await Task.yield() }
        gate.open()
        #expect(try await pull.value == bytes)
        try await warming.value
        #expect(bench.isStored(digest) && bench.hub.count(.blob) == 1)
    }

    @Test("one that stops waiting for a blob leaves the fetch to the cache")
    func cancelled() async throws {
        let bench = Bench()
        let warmer = CacheWarmer(bench.mirror)
        let repository = try bench.repository("nginx")
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (200_000, gate) }
        let warming = Task { try await warmer.warm(digest, in: repository) { _ in } }
        await gate.reached()
        warming.cancel()
        await #expect(throws: MirrorError.shuttingDown) { try await warming.value }
        gate.open()
        while !bench.isStored(digest) { await Task.yield() }
        await bench.settled()
        #expect(bench.hub.count(.blob) == 1)
    }

    @Test("a blob that the cache has no room for is a failure")
    func noRoom() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 100_000))
        let warmer = CacheWarmer(bench.mirror)
        let digest = bench.hub.add(blob: bytes)
        await #expect(throws: MirrorError.unavailable(reason: "no_room", retryAfter: nil)) {
            try await warmer.warm(digest, in: bench.repository("nginx")) { _ in }
        }
    }
}
