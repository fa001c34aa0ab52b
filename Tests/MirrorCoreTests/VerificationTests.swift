import Locking
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Verifying what is stored", .timeLimit(.minutes(1)))
struct VerificationTests {
    /// What may have become of a stored blob.
    enum Harm: String, CaseIterable, Sendable {
        case flipped, truncated, deleted, unreadable

        var problem: DamagedObject.Problem {
            switch self {
            case .flipped: .damaged
            case .truncated: .short
            case .deleted: .missing
            case .unreadable: .unreadable
            }
        }

        func befall(_ digest: Digest, _ kind: ContentKind, _ bench: Bench) throws {
            var bytes = try #require(bench.store.bytes(of: digest, kind))
            switch self {
            case .flipped: bytes[bytes.count / 2] ^= 1
            case .truncated: bytes.removeLast()
            case .deleted: return bench.store.remove(digest, kind)
            case .unreadable: return bench.store.makeUnreadable(digest, kind)
            }
            bench.store.damage(digest, kind, to: bytes)
        }
    }

    @Test("what is intact stays, and files that nobody knows are told")
    func intact() async throws {
        let care = CareBench()
        try await care.pull("1", care.publish("nginx", "1", "config", "layer"))
        try await care.bench.store.store([1], as: sha256([1]), .blob)
        let totals = care.bench.index.totals()
        let total = try await care.verified()
        #expect(total.objects == 3 && total.bytes == totals.blobBytes + totals.manifestBytes)
        #expect(total.damaged == 0 && total.orphans == 1)
        #expect(care.bench.store.quarantined.isEmpty)
    }

    @Test("a bad blob is put aside and counted, and the next pull is right", arguments: Harm.allCases)
    func bad(harm: Harm) async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer of some bytes")
        try await care.pull("1", image)
        try harm.befall(image.blobs[1], .blob, care.bench)
        let found = try await care.damage(.verify(VerifyOptions()))
        #expect(
            found == [
                DamagedObject(
                    digest: "\(image.blobs[1])",
                    kind: "blob",
                    problem: harm.problem,
                    remedy: .onDemand
                )
            ]
        )
        #expect(care.bench.store.quarantined == (harm == .deleted ? [] : [image.blobs[1]]))
        #expect(care.bench.metrics.value(of: .damaged, "blob") == 1)
        #expect(!care.isStored(image.blobs[1], .blob))
        #expect(try await care.bench.blob(image.blobs[1]) == Array("layer of some bytes".utf8))
        await care.bench.settled()
        #expect(try await care.verified().damaged == 0)
    }

    @Test("with repair it is fetched at once", arguments: Harm.allCases, ContentKind.allCases)
    func repair(harm: Harm, kind: ContentKind) async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer of some bytes")
        try await care.pull("1", image)
        let digest = kind == .blob ? image.blobs[1] : image.digest
        try harm.befall(digest, kind, care.bench)
        let total = try await care.verified(.verify(VerifyOptions(repairs: true)))
        #expect(total.damaged == 1 && total.mended == 1)
        #expect(care.isStored(digest, kind))
        #expect(try await care.show("nginx:1").survival == .whole)
    }

    @Test("what no upstream gives is said so, and is not stored")
    func unavailable() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        care.bench.store.remove(image.blobs[1], .blob)
        care.bench.hub.change { $0.blobs[image.blobs[1]] = nil }
        let found = try await care.damage(.verify(VerifyOptions(repairs: true)))
        #expect(found.map(\.remedy) == [.unavailable])
        #expect(!care.isStored(image.blobs[1], .blob))
    }

    @Test("a manifest's file is written again from the index, and no upstream is asked", arguments: [true, false])
    func restored(repairs: Bool) async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        let good = care.bench.store.bytes(of: image.digest, .manifest)
        care.bench.store.damage(image.digest, .manifest, to: [1])
        let asked = care.bench.hub.requests.count
        #expect(try await care.damage(.verify(VerifyOptions(repairs: repairs))).map(\.remedy) == [.restored])
        #expect(care.bench.store.bytes(of: image.digest, .manifest) == good)
        #expect(care.bench.store.quarantined == [image.digest])
        #expect(care.bench.hub.requests.count == asked)
    }

    @Test("what was found bad before is fetched by a later repair, unless somebody had it fetched")
    func repairedLater() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer", "another layer")
        try await care.pull("1", image)
        for blob in image.blobs.dropFirst() { care.bench.store.damage(blob, .blob, to: [1]) }
        #expect(try await care.verified().damaged == 2)
        _ = try await care.bench.blob(image.blobs[1])
        await care.bench.settled()
        // In a process that did not find it.
        let later = Caretaker(of: care.bench.mirror, index: care.bench.index, store: care.bench.store)
        let found = Locked<[CareReport]>([])
        try await later.perform(.verify(VerifyOptions(repairs: true))) { report in found.withLock { $0.append(report) }
        }
        let expected = DamagedObject(
            digest: "\(image.blobs[2])",
            kind: "blob",
            problem: .short,
            remedy: .fetched
        )
        #expect(found.withLock { $0.first } == .damage(expected))
        #expect(try await care.show("nginx:1").survival == .whole)
        #expect(care.bench.index.bookmark(.damage) == nil)
        #expect(try await care.verified(.verify(VerifyOptions(repairs: true))).damaged == 0)
    }

    @Test("one that is ended early leaves its place, to the object")
    func endedEarly() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer", "another layer", "a fourth")
        try await care.pull("1", image)
        // The second blob is bad; whoever hears of it leaves.
        let second = try #require(image.blobs.sorted { $0.hex < $1.hex }.dropFirst().first)
        care.bench.store.damage(second, .blob, to: [1])
        await #expect(throws: CareError.stopped) {
            try await care.caretaker.perform(.verify(VerifyOptions())) { _ throws(CareError) in throw .stopped }
        }
        let rest = try await care.verified(.verify(VerifyOptions(resumes: true)))
        // Of a manifest and four blobs two were done, and one is lost.
        #expect(rest.objects == 2 && rest.damaged == 0)
    }

    @Test("two at the same time would mend each other's finds: the second is refused")
    func busy() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        care.bench.store.damage(image.blobs[0], .blob, to: [1])
        let second = Locked<CareError?>(nil)
        try await care.caretaker.perform(.verify(VerifyOptions())) { report throws(CareError) in
            guard case .damage = report else { return }
            do throws(CareError) {
                try await care.caretaker.perform(.verify(VerifyOptions())) { _ in }
            } catch {
                second.withLock { $0 = error }
            }
        }
        #expect(second.withLock { $0 } == .busy("verification"))
        #expect(try await care.verified().damaged == 0)
    }

    @Test("one that was ended goes on where it was")
    func resume() async throws {
        let care = CareBench()
        try await care.pull("1", care.publish("nginx", "1", "config", "layer"))
        let place = CarePlace(kind: .blob, cursor: nil)
        care.bench.index.post([.bookmark(.verify, place.bytes)])
        #expect(try await care.verified(.verify(VerifyOptions(resumes: true))).objects == 2)
        // And the next begins afresh.
        #expect(care.bench.index.bookmark(.verify) == nil)
        #expect(try await care.verified(.verify(VerifyOptions(resumes: true))).objects == 3)
    }

    @Test("whoever asked and has gone ends it")
    func askerGone() async throws {
        let care = CareBench()
        try await care.pull("1", care.publish("nginx", "1", "config", "layer"))
        await #expect(throws: CareError.stopped) {
            try await care.caretaker.perform(.list(incompleteOnly: false)) { _ throws(CareError) in throw .stopped }
        }
    }

    // MARK: - The scrub

    @Test(
        "the scrub reads everything in its period, within its rates",
        arguments: [(0, 1_000_000), (1_000_000_000, 1_000_000), (7_000_000_000_000, 12_731_481), (1 << 50, 20_000_000)]
    )
    func rate(bytes: Int, rate: Int) {
        #expect(ScrubPlan().bytesPerSecond(for: bytes) == rate)
    }

    @Test("a round that has ended is followed by the next a period after its beginning")
    func pause() {
        let plan = ScrubPlan(period: .seconds(100))
        let start = WallTime(milliseconds: 1_000_000)
        let ended = ScrubRecord(startedAt: start, place: nil)
        #expect(plan.pause(after: nil, at: start) == nil)
        #expect(plan.pause(after: ended, at: start + .seconds(30)) == .seconds(70))
        #expect(plan.pause(after: ended, at: start + .seconds(100)) == nil)
        #expect(plan.pause(after: ended, at: WallTime(milliseconds: 1)) == nil, "a time to come is not trusted")
        #expect(plan.pause(after: ScrubRecord(startedAt: start, place: .start), at: start) == nil)
    }

    @Test(
        "how far it is can be written down",
        arguments: [
            nil, CarePlace.start, CarePlace(kind: .blob, cursor: nil),
            CarePlace(kind: .blob, cursor: IndexCursor([0, 1, 255])),
        ]
    )
    func record(place: CarePlace?) throws {
        let record = ScrubRecord(startedAt: WallTime(milliseconds: 1_795_000_000_123), place: place)
        #expect(ScrubRecord(bytes: record.bytes) == record)
        #expect(ScrubRecord(bytes: [1, 2]) == nil)
        #expect(ScrubRecord(bytes: [0, 0, 0, 0, 0, 0, 0, 0, 9]) == nil)
    }

    @Test("it finds what is bad by itself, says that it has ended, and goes on in the middle after a restart")
    func scrub() async throws {
        let care = CareBench()
        let image = care.publish("nginx", "1", "config", "layer")
        try await care.pull("1", image)
        let middle = ScrubRecord(
            startedAt: care.bench.clock.timekeeper.wall(),
            place: CarePlace(kind: .blob, cursor: nil)
        )
        care.bench.index.post([.bookmark(.scrub, middle.bytes)])
        for (digest, kind) in [(image.blobs[1], ContentKind.blob), (image.digest, .manifest)] {
            care.bench.store.damage(digest, kind, to: [1])
        }
        let task = Task { await Scrubber(care.caretaker).run() }
        while care.bench.index.bookmark(.scrub).flatMap({ ScrubRecord(bytes: $0) })?.place != nil { await Task.yield() }
        task.cancel()
        await task.value
        #expect(care.bench.store.quarantined == [image.blobs[1]], "the manifests had been looked at")
    }
}
