import OCI
import Testing

@testable import MirrorCore

@Suite("Background work", .timeLimit(.minutes(1)))
struct BackgroundWorkTests {
    let document = #"{"schemaVersion":2,"layers":[]}"#

    @Test("a pull that joins a background read which the reserve refuses asks for itself")
    func joinedRead() async throws {
        let bench = Bench()
        let gate = Gate()
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1", headOnly: true)
        bench.hub.change {
            $0.manifestGate = gate
            $0.failures = [.manifest: [.reserved(retryAfter: .seconds(60))]]
        }
        let background = Task { try await bench.manifest("1", for: .prewarm) }
        await gate.reached()
        let pull = Task { try await bench.manifest("1") }
        while bench.hub.lastErrand?.purpose != .pull { await Task.yield() }
        gate.open()
        await #expect(throws: MirrorError.limited(retryAfter: .seconds(60))) { try await background.value }
        #expect(try await pull.value.head.digest == digest)
        #expect(bench.hub.count(.manifest) == 2)
    }

    @Test("background work that joins another's refusal is refused too")
    func joinedByBackground() async throws {
        let bench = Bench()
        let gate = Gate()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1", headOnly: true)
        bench.hub.change {
            $0.manifestGate = gate
            $0.outage = [.manifest: .reserved(retryAfter: .seconds(60))]
        }
        let first = Task { try await bench.manifest("1", for: .refresh) }
        await gate.reached()
        let second = Task { try await bench.manifest("1", for: .prewarm) }
        while bench.hub.lastErrand?.purpose != .prewarm { await Task.yield() }
        gate.open()
        await #expect(throws: MirrorError.limited(retryAfter: .seconds(60))) { try await first.value }
        await #expect(throws: MirrorError.limited(retryAfter: .seconds(60))) { try await second.value }
    }

    @Test("a pull that joins a background check which the reserve refuses asks for itself")
    func joinedCheck() async throws {
        let bench = Bench()
        let gate = Gate()
        bench.other.add(tag: "1", manifest: document)
        bench.other.change {
            $0.outage = [.headManifest: .headUnsupported]
            $0.manifestGate = gate
            $0.failures = [.manifest: [.reserved(retryAfter: nil)]]
        }
        let background = Task { try await bench.manifest("1", "ghcr.io/org/app", for: .refresh) }
        await gate.reached()
        let pull = Task { try await bench.manifest("1", "ghcr.io/org/app") }
        while bench.other.lastErrand?.purpose != .pull { await Task.yield() }
        gate.open()
        await #expect(throws: MirrorError.limited(retryAfter: nil)) { try await background.value }
        #expect(try await pull.value.bytes == Array(document.utf8))
    }
}
