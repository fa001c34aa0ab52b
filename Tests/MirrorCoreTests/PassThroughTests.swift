import Locking
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Blobs that there is no room for are passed through", .timeLimit(.minutes(1)))
struct PassThroughTests {
    private static let content = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    let bytes = Self.content

    /// A cache that the blob is larger than.
    func smallBench() -> Bench { Bench(space: SpaceLimits(maxSize: 300_000)) }

    func growing(_ bench: Bench, _ digest: Digest) async throws -> (any GrowingBlob, CacheOutcome) {
        let repository = try bench.repository("nginx")
        guard
            case .growing(let blob, let outcome) = try await bench.mirror.blob(
                digest,
                in: repository,
                for: bench.caller
            )
        else { throw MirrorError.blobUnknown }
        return (blob, outcome)
    }

    @Test("each client has its own fetch, nothing is stored, and the length is asked for once")
    func outsized() async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        var outcomes: [CacheOutcome] = []
        for _ in 0..<3 {
            let (blob, outcome) = try await growing(bench, digest)
            #expect(blob.length == bytes.count)
            #expect(try await drain(blob, 0..<bytes.count) == bytes)
            outcomes.append(outcome)
        }
        await bench.settled()
        #expect(outcomes == [.passed, .passed, .passed])
        #expect(bench.hub.count(.blob) == 4)
        #expect(bench.metrics.value(of: .passthrough, "docker.io") == 3)
        #expect(bench.metrics.value(of: .flights) == 0)
        #expect(bench.store.spoolsMade == 0)
        #expect(!bench.isStored(digest))
    }

    @Test("clients at once, of which one flight is the first, all get their bytes")
    func together() async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        let results = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<5 { group.addTask { try await bench.blob(digest) == bytes } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results == Array(repeating: true, count: 5))
        #expect(bench.metrics.value(of: .passthrough, "docker.io") == 5)
    }

    @Test("a wrong byte anywhere cuts the client before its tail", arguments: [0, 1_000_000, 1_999_999])
    func wrong(offset: Int) async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.spoiled = (offset, 100) }
        let client = SlowClient(try await growing(bench, digest).0, 0..<bytes.count)
        await #expect(throws: MirrorError.corrupt) { try await client.readToEnd() }
        #expect(client.bytes.count <= bytes.count - FlightState.heldBack)
        #expect(bench.metrics.value(of: .digestMismatches) == 1)
    }

    @Test("ranges are right, from their own start or of a blob that is verified")
    func ranges() async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        let blob = try await growing(bench, digest).0
        for range in [10..<20, 1_500_000..<1_900_000, 1_900_000..<2_000_000, 0..<1] {
            #expect(try await drain(blob, range) == Array(bytes[range]))
        }
        await bench.settled()
        #expect(bench.hub.requests.filter { $0.kind == .blob }.map(\.offset) == [0, 10, 1_500_000, 0, 0])
        bench.hub.change { $0.spoiled = (5, 1) }
        await #expect(throws: MirrorError.corrupt) { try await drain(blob, 1_900_000..<2_000_000) }
    }

    @Test("a client that does not read holds its upstream back, and gets all when it does")
    func slow() async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        let client = SlowClient(try await growing(bench, digest).0, 0..<bytes.count)
        _ = try client.takeAvailable()
        while bench.hub.rests == 0 { await Task.yield() }
        #expect(bench.hub.handedOver <= client.bytes.count + PassageState.capacity)
        try await client.readToEnd()
        #expect(client.bytes == bytes)
    }

    @Test("a client that takes nothing for long holds no place at its upstream, and gets all when it does")
    func longRest() async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        let client = SlowClient(try await growing(bench, digest).0, 0..<bytes.count)
        _ = try client.takeAvailable()
        while bench.hub.rests == 0 { await Task.yield() }
        while bench.hub.refusals < 2 {
            bench.clock.advance(by: Passage.longestRest / 2)
            await Task.yield()
        }
        let received = bench.hub.handedOver
        try await client.readToEnd()
        #expect(client.bytes == bytes)
        #expect(bench.hub.handedOver == bytes.count)
        #expect(bench.hub.requests.last?.offset == received)
    }

    @Test("a client that leaves ends its fetch, one that rests too")
    func leaving() async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        let reader = try await growing(bench, digest).0.reader(of: 0..<bytes.count)
        _ = reader.next(wake: {})
        while bench.hub.rests == 0 { await Task.yield() }
        reader.leave()
        await bench.settled()
        #expect(bench.hub.handedOver < bytes.count)
    }

    @Test(
        "a transfer that breaks goes on from the last byte, whatever the registry makes of ranges",
        arguments: [true, false]
    )
    func breaks(ignoresRange: Bool) async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        // The first is the flight's.
        bench.hub.change {
            $0.cuts = [bytes.count, 700_000, 800_000]
            $0.ignoresRange = ignoresRange
        }
        #expect(try await bench.blob(digest) == bytes)
        let offsets = bench.hub.requests.filter { $0.kind == .blob }.map(\.offset)
        #expect(offsets == [0, 0, 700_000, ignoresRange ? 800_000 : 1_500_000])
        #expect(bench.metrics.value(of: .flightResumes) == 2)
    }

    @Test("an upstream that stays broken cuts the client")
    func staysBroken() async throws {
        let bench = Bench(space: SpaceLimits(maxSize: 300_000)) { $0.retries = 2 }
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.cuts = [bytes.count] + Array(repeating: 100_000, count: 100) }
        await #expect(throws: MirrorError.unavailable(reason: "truncated", retryAfter: nil)) {
            try await bench.blob(digest)
        }
    }

    @Test("those who have some of a blob when the disk fills up get the rest, and it is verified as a whole")
    func fullInTheMiddle() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (1_024_000, gate) }
        let blob = try await growing(bench, digest).0
        let early = SlowClient(blob, 0..<bytes.count)
        let late = SlowClient(blob, 0..<bytes.count)
        let part = SlowClient(blob, 1_000_000..<1_100_000)
        try await early.read(upTo: 500_000)
        bench.store.failAppends(after: 1_100_000)
        gate.open()
        for client in [early, late] {
            try await client.readToEnd()
            #expect(client.bytes == bytes)
        }
        try await part.readToEnd()
        #expect(part.bytes == Array(bytes[1_000_000..<1_100_000]))
        await bench.settled()
        #expect(bench.store.openSpools == 0 && bench.store.unfinishedBlobs.isEmpty)
        // It was cut, each went on by itself; and there is room again for the next.
        bench.store.failAppends(after: .max)
        #expect(try await bench.blob(digest) == bytes)
        await bench.settled()
        #expect(bench.isStored(digest))
    }

    @Test("a wrong byte in what they had is found at the end all the same")
    func wrongBeforeFull() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change {
            $0.gate = (1_024_000, gate)
            $0.spoiled = (1000, 1)
        }
        let client = SlowClient(try await growing(bench, digest).0, 0..<bytes.count)
        try await client.read(upTo: 500_000)
        bench.store.failAppends(after: 1_100_000)
        gate.open()
        await #expect(throws: MirrorError.corrupt) { try await client.readToEnd() }
    }

    @Test("without a length the bytes are verified too")
    func unknownLength() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.store.failSpools(with: .full)
        bench.hub.change {
            $0.omitsLength = true
            $0.outage[.headBlob] = .unavailable(.refused)
        }
        #expect(try await bench.blob(digest) == bytes)
        bench.hub.change { $0.spoiled = (1000, 100) }
        await #expect(throws: MirrorError.corrupt) { try await bench.blob(digest) }
    }

    @Test("shutting down cuts the clients")
    func shutsDown() async throws {
        let bench = smallBench()
        let digest = bench.hub.add(blob: bytes)
        let client = SlowClient(try await growing(bench, digest).0, 0..<bytes.count)
        _ = try client.takeAvailable()
        while bench.hub.rests == 0 { await Task.yield() }
        await bench.mirror.shutDown()
        await #expect(throws: MirrorError.shuttingDown) { try await client.readToEnd() }
    }
}
