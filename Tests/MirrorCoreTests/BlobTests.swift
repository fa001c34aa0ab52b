import Locking
import Logging
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Blobs and flights", .timeLimit(.minutes(1)))
struct BlobTests {
    let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    func growing(_ bench: Bench, _ digest: Digest, _ path: String = "nginx") async throws -> any GrowingBlob {
        let answer = try await bench.mirror.blob(digest, in: bench.repository(path), for: bench.caller)
        guard case .growing(let blob, _) = answer else {
            Issue.record("not growing")
            throw MirrorError.blobUnknown
        }
        return blob
    }

    /// Waits until a flight has landed: its blob is in the index.
    func landed(_ bench: Bench, _ digest: Digest) async {
        while !bench.isStored(digest) { await Task.yield() }
        await bench.settled()
    }

    @Test("a cold blob is fetched once and then served from the store")
    func coldAndWarm() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        #expect(try await bench.blob(digest) == bytes)
        await landed(bench, digest)
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.requests.map(\.kind) == [.blob])
    }

    @Test("50 clients share one fetch, and have their first bytes while it is held back")
    func herd() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (200_000, gate) }
        let served = Locked(0)
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    let blob = try await growing(bench, digest)
                    #expect(blob.length == bytes.count)
                    let client = SlowClient(blob, 0..<bytes.count)
                    try await client.read(upTo: 200_000)
                    let count = served.withLock { served in
                        served += 1
                        return served
                    }
                    if count == 50 { gate.open() }
                    try await client.readToEnd()
                    return client.bytes
                }
            }
            for try await received in group { #expect(received == bytes) }
        }
        #expect(bench.hub.count(.blob) == 1)
    }

    @Test("a range that is there is given while the rest is still coming")
    func rangeInFlight() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (300_000, gate) }
        let blob = try await growing(bench, digest)
        #expect(try await drain(blob, 100_000..<250_000) == Array(bytes[100_000..<250_000]))
        gate.open()
        #expect(try await drain(blob, 0..<bytes.count) == bytes)
    }

    @Test("the tail waits for the digest")
    func heldBack() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (bytes.count - 1, gate) }
        let blob = try await growing(bench, digest)
        await gate.reached()
        let client = SlowClient(blob, 0..<bytes.count)
        #expect(try client.takeAvailable() == false)
        #expect(client.bytes.count == bytes.count - FlightState.heldBack)
        gate.open()
        try await client.readToEnd()
        #expect(client.bytes == bytes)
    }

    @Test("a flight goes on when the client that started it has left")
    func outlivesItsClient() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (100_000, gate) }
        let first = Task {
            let blob = try await growing(bench, digest)
            return try await drain(blob, 0..<bytes.count)
        }
        await gate.reached()
        first.cancel()
        gate.open()
        await landed(bench, digest)
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.count(.blob) == 1)
    }

    @Test("a transfer that breaks goes on from the last byte")
    func resumes() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.cuts = [100_000, 200_000] }
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.requests.map(\.offset) == [0, 100_000, 300_000])
        #expect(bench.metrics.value(of: .flightResumes) == 2)
    }

    @Test("an upstream that ignores the range sends again what is held, and it is dropped")
    func ignoresRange() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change {
            $0.cuts = [100_000]
            $0.ignoresRange = true
        }
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("a transfer that keeps breaking cuts its clients, and the next pull starts anew")
    func givesUp() async throws {
        let bench = Bench { $0.retries = 3 }
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.cuts = [100_000, 10, 10, 10, 10] }
        await #expect(throws: MirrorError.self) { try await bench.blob(digest) }
        #expect(bench.hub.count(.blob) == 4)
        #expect(!bench.isStored(digest))
        bench.hub.change { $0.cuts = [] }
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("an open circuit keeps a transfer waiting, and costs it no retries")
    func waitsForCircuit() async throws {
        let bench = Bench { $0.retries = 1 }
        let digest = bench.hub.add(blob: bytes)
        let closed = UpstreamError.unavailable(.circuitOpen(retryAfter: .milliseconds(300)))
        bench.hub.change {
            $0.cuts = [100_000]
            $0.failures[.blob] = [nil] + Array(repeating: closed, count: 20)
        }
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.count(.blob) == 22)
        let waits = bench.log.messages(.warning).filter { $0 == "blob transfer waits for its upstream" }
        #expect(waits.count == 1)
    }

    @Test("a circuit that stays open cuts the clients in the end")
    func circuitStaysOpen() async throws {
        let bench = Bench { $0.retries = 1 }
        let digest = bench.hub.add(blob: bytes)
        let closed = UpstreamError.unavailable(.circuitOpen(retryAfter: .milliseconds(400)))
        bench.hub.change {
            $0.cuts = [100_000]
            $0.failures[.blob] = [nil] + Array(repeating: closed, count: 1000)
        }
        await #expect(throws: MirrorError.unavailable(reason: "circuit_open", retryAfter: .milliseconds(400))) {
            try await bench.blob(digest)
        }
        #expect((100...200).contains(bench.hub.count(.blob)))
    }

    @Test("after a wrong byte in the tail the blob comes once more, and nobody is cut")
    func wrongByteInTail() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.spoiled = (bytes.count - 5, 1) }
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.count(.blob) == 2)
        #expect(bench.metrics.value(of: .digestMismatches) == 1)
    }

    @Test("a client that was given a wrong byte is cut, and one that was not goes on")
    func wrongByteSent() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change {
            $0.spoiled = (150_000, 1)
            $0.gate = (500_000, gate)
        }
        let blob = try await growing(bench, digest)
        let early = SlowClient(blob, 0..<bytes.count)
        let behind = SlowClient(blob, 200_000..<bytes.count)
        let late = SlowClient(blob, 0..<bytes.count)
        try await early.read(upTo: 200_000)
        gate.open()
        await landed(bench, digest)
        await #expect(throws: MirrorError.corrupt) { try await early.readToEnd() }
        #expect(early.bytes.count < bytes.count)
        try await late.readToEnd()
        #expect(late.bytes == bytes)
        try await behind.readToEnd()
        #expect(behind.bytes == Array(bytes[200_000...]))
    }

    @Test("a blob that is wrong twice is not kept, its clients are cut, and the next pull works")
    func wrongTwice() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.spoiled = (5, 2) }
        await #expect(throws: MirrorError.corrupt) { try await bench.blob(digest) }
        #expect(!bench.isStored(digest))
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("another repository joins a flight after a HEAD has succeeded there")
    func joinsByProof() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change {
            $0.gate = (100_000, gate)
            $0.only["org/none"] = []
        }
        let first = try await growing(bench, digest)
        await #expect(throws: MirrorError.blobUnknown) { try await bench.blob(digest, "org/none") }
        let second = try await growing(bench, digest, "org/one")
        gate.open()
        #expect(try await drain(first, 0..<bytes.count) == bytes)
        #expect(try await drain(second, 0..<bytes.count) == bytes)
        #expect(bench.hub.count(.blob) == 1)
        #expect(bench.hub.count(.headBlob) == 2)
    }

    @Test("a source that refuses fails those who came by it, and the flight goes on from the next")
    func nextSource() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.other.change { $0.blobs[digest] = bytes }
        bench.other.change { $0.only["org/gone"] = [] }
        let gate = Gate()
        bench.hub.change { $0.gate = (0, gate) }
        // The first source waits at its first byte; then its transfer breaks, and it refuses to go on.
        bench.hub.change { $0.cuts = [50_000] }
        let first = try await growing(bench, digest)
        let second = try await growing(bench, digest, "ghcr.io/org/app")
        bench.hub.change { $0.failures[.blob] = [.denied] }
        gate.open()
        #expect(try await drain(second, 0..<bytes.count) == bytes)
        #expect(try await drain(first, 0..<bytes.count) == bytes)
        #expect(bench.other.requests.filter { $0.kind == .blob }.map(\.offset) == [50_000])
    }

    @Test("a missing blob is a 404 for the asker, remembered for negative_ttl")
    func missing() async throws {
        let bench = Bench()
        let digest = sha256([1, 2, 3])
        for _ in 0..<5 {
            await #expect(throws: MirrorError.blobUnknown) { try await bench.blob(digest) }
        }
        #expect(bench.hub.requests.count == 1)
    }

    @Test("HEAD of a cold blob asks for the length and fetches nothing")
    func length() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        let answer = try await bench.mirror.blobLength(digest, in: bench.repository("nginx"), for: bench.caller)
        #expect(answer.length == bytes.count)
        #expect(bench.hub.requests.map(\.kind) == [.headBlob])
    }

    @Test("a length that the response does not tell is asked for by HEAD")
    func lengthUnknown() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.omitsLength = true }
        let blob = try await growing(bench, digest)
        #expect(blob.length == bytes.count)
        #expect(try await drain(blob, 0..<bytes.count) == bytes)
        #expect(bench.hub.requests.map(\.kind) == [.blob, .headBlob])
    }

    @Test("a blob that nothing tells the length of still comes whole")
    func lengthNowhere() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change {
            $0.omitsLength = true
            $0.outage = [.headBlob: .denied]
        }
        let blob = try await growing(bench, digest)
        #expect(try await drain(blob, 0..<Int.max) == bytes)
    }

    @Test("a transfer that breaks off behind its last byte is complete")
    func brokenBehindTheEnd() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.endsWith = .unavailable(.truncated) }
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.count(.blob) == 1)
    }

    @Test("a long pause before the head is told to the clients instead of waited for")
    func limited() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.outage = [.blob: .abuseLimited(retryAfter: .seconds(60))] }
        await #expect(throws: MirrorError.limited(.abuse, retryAfter: .seconds(60))) { try await bench.blob(digest) }
    }

    @Test("an empty blob is a blob")
    func empty() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: [])
        #expect(try await bench.blob(digest) == [])
    }

    @Test("a stored file that has gone is fetched again within the same request")
    func lost() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        _ = try await bench.blob(digest)
        await landed(bench, digest)
        bench.store.remove(digest, .blob)
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.count(.blob) == 2)
    }

    @Test("a file that cannot be opened for want of descriptors is not lost")
    func cannotOpen() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        _ = try await bench.blob(digest)
        await landed(bench, digest)
        bench.store.failOpening(with: .failed(call: "open", errno: 24))
        await #expect(throws: MirrorError.unavailable(reason: "storage", retryAfter: nil)) {
            try await bench.blob(digest)
        }
        bench.store.failOpening(with: nil)
        #expect(try await bench.blob(digest) == bytes)
        #expect(bench.hub.count(.blob) == 1)
    }

    @Test("a disk that fails writes fails the clients and leaves nothing behind")
    func diskFails() async throws {
        let bench = Bench()
        let digest = bench.hub.add(blob: bytes)
        bench.store.failAppends(after: 0, with: .failed(call: "write", errno: 5))
        await #expect(throws: MirrorError.unavailable(reason: "storage", retryAfter: nil)) {
            try await bench.blob(digest)
        }
        #expect(bench.metrics.value(of: .flights) == 0)
        #expect(bench.store.openSpools == 0)
        bench.store.failAppends(after: .max)
        #expect(try await bench.blob(digest) == bytes)
    }

    @Test("shutting down cuts the followers")
    func shutsDown() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(blob: bytes)
        bench.hub.change { $0.gate = (100_000, gate) }
        let blob = try await growing(bench, digest)
        let client = SlowClient(blob, 0..<bytes.count)
        try await client.read(upTo: 100_000)
        async let ended: Void = bench.mirror.shutDown()
        gate.open()
        await ended
        await #expect(throws: MirrorError.shuttingDown) { try await client.readToEnd() }
        await #expect(throws: MirrorError.shuttingDown) { try await bench.blob(sha256([9])) }
    }
}
