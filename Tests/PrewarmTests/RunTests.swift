import Locking
import MirrorCore
import MirrorTesting
import OCI
import Prewarm
import Testing

@Suite("Runs", .timeLimit(.minutes(1)))
struct RunTests {
    private let image = TestImage.multiPlatform(seed: 1)
    private let plain = TestImage.single(seed: 2)
    private let nginx = #"{ from: library/nginx, tags: { glob: "1" } }"#

    @Test("an image is fetched whole, once, and the next run asks about its tag alone")
    func whole() async throws {
        let bench = Bench()
        try bench.mirror.add(image, "library/nginx", tag: "1")
        let report = try await bench.run(nginx, artifacts: true)
        #expect(report.outcome == .done && report.images.map(\.status) == [.fetched])
        #expect(report.manifestReads == 4)
        #expect((image.manifests.map(\.digest) + image.blobs.map(\.digest)).allSatisfy(bench.mirror.isHeld))
        let before = bench.mirror.log.count
        let again = try await bench.run(nginx, artifacts: true)
        #expect(again.images.map(\.status) == [.cached] && again.bytes == 0)
        #expect(bench.mirror.log.dropFirst(before) == ["look library/nginx:1"])
    }

    @Test("platforms choose the children, and attestations stay away")
    func platforms() async throws {
        let bench = Bench()
        try bench.mirror.add(image, "library/nginx", tag: "1")
        let mapping = #"{ from: library/nginx, tags: { glob: "1" }, platforms: [linux/arm64] }"#
        let report = try await bench.run(mapping, artifacts: true)
        #expect(report.manifestReads == 2 && report.outcome == .done)
        #expect(image.children.map(\.digest).map(bench.mirror.isHeld) == [false, true, false])
        #expect(try await bench.plan(mapping).images.map(\.isCached) == [true])
    }

    @Test("an index without the wanted platform fails, and the others come")
    func noPlatform() async throws {
        let bench = Bench()
        try bench.mirror.add(image, "library/nginx", tag: "1")
        try bench.mirror.add(plain, "library/redis", tag: "7")
        let report = try await bench.run(
            """
            { from: library/nginx, tags: { glob: "1" }, platforms: [linux/s390x] }
            { from: library/redis, tags: { glob: "7" } }
            """
        )
        #expect(report.outcome == .partlyFailed && report.count(.fetched) == 1)
        let problem = report.images.first { $0.status == .failed }?.problem
        #expect(problem?.contains("platform filter [linux/s390x] matched no manifests in index") == true)
    }

    @Test("the budget bounds the reads of a run; the next one finishes")
    func budget() async throws {
        var bench = Bench()
        let images = (0..<4).map { TestImage.multiPlatform(seed: UInt64(20 + $0), layers: [100]) }
        for (number, image) in images.enumerated() { try bench.mirror.add(image, "a/a", tag: "\(number)") }
        let mapping = "{ from: a/a, tags: { glob: \"*\" }, platforms: [linux/amd64] }"
        bench.options.budget = 5
        let first = try await bench.run(mapping)
        #expect(bench.mirror.count("read") == 5 && first.manifestReads == 5)
        #expect(first.outcome == .partlyFailed && first.stop == .budget)
        #expect(first.count(.fetched) == 2 && first.count(.left) == 2)
        #expect(first.left.manifestReads == 3)
        let second = try await bench.run(mapping)
        #expect(second.outcome == .done && second.manifestReads == 3 && bench.mirror.count("read") == 8)
    }

    @Test("what needs no reads is finished although the quota is used up")
    func exhausted() async throws {
        var bench = Bench()
        bench.options.reserve = 3
        bench.mirror.change { $0.remaining = 4 }
        try bench.mirror.add(image, "library/nginx", tag: "1")
        try bench.mirror.add(plain, "library/redis", tag: "7")
        bench.mirror.change { $0.held.insert(plain.digest) }
        let report = try await bench.run(nginx + "\n" + #"{ from: library/redis, tags: { glob: "7" } }"#)
        #expect(report.outcome == .partlyFailed && report.count(.fetched) == 1 && report.manifestReads == 1)
        #expect(report.stop == .quota(resetsAt: WallTime(milliseconds: 1_700_000_600_000)))
        #expect(bench.mirror.count("read") == 2)
    }

    @Test("with --wait it sleeps until quota is back, and goes on")
    func waiting() async throws {
        var bench = Bench()
        bench.options.waits = true
        try bench.mirror.add(plain, "library/redis", tag: "7")
        bench.mirror.change { $0.failures["read \(plain.digest)"] = [.limited(.pull, retryAfter: .seconds(600))] }
        let report = try await bench.run(#"{ from: library/redis, tags: { glob: "7" } }"#)
        #expect(report.outcome == .done && bench.sleeps.withLock { $0 } == [.seconds(601)])
        let waits = bench.events.withLock { $0 }
            .filter { event in
                if case .waiting = event { true } else { false }
            }
        #expect(waits.count == 1)
    }

    @Test("what fails for a moment is tried again, what fails for good is not")
    func retries() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "library/redis", tag: "7")
        let blob = plain.largestBlob.digest
        bench.mirror.change { state in
            state.failures["read \(plain.digest)"] = [.unavailable(reason: "status", retryAfter: nil), .tooSlow]
            state.failures["blob \(blob)"] = [.denied]
        }
        let mapping = #"{ from: library/redis, tags: { glob: "7" } }"#
        let report = try await bench.run(mapping)
        #expect(bench.mirror.count("read") == 3 && bench.sleeps.withLock { $0 } == [.seconds(1), .seconds(2)])
        #expect(report.outcome == .failed && report.images.first?.problem == "a blob: the registry denies access")
        #expect(try await bench.run(mapping).outcome == .done)
    }

    @Test("a run that is ended reports what was done, and the next fetches only the rest")
    func interrupted() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "library/redis", tag: "7")
        let (reached, reach) = AsyncStream<Void>.makeStream()
        let last = plain.largestBlob.digest
        bench.mirror.change { state in
            state.onBlob = { digest in
                guard digest == last else { return }
                reach.yield()
                try? await Task.sleep(for: .seconds(60))
            }
        }
        let mapping = #"{ from: library/redis, tags: { glob: "7" } }"#
        let plan = try await bench.plan(mapping)
        let run = Task { await bench.run(plan) }
        for await _ in reached { break }
        run.cancel()
        let report = await run.value
        #expect(report.stop == .interrupted && report.outcome == .partlyFailed && report.count(.left) == 1)
        bench.mirror.change { $0.onBlob = nil }
        let again = try await bench.run(mapping)
        #expect(again.outcome == .done && again.manifestReads == 0 && bench.mirror.count("read") == 1)
    }

    @Test("referrers come with their image, by type, before its blobs")
    func referrers() async throws {
        let bench = Bench()
        let signature = TestImage.referrer(to: plain.manifest, artifactType: "application/sig", seed: 1)
        let sbom = TestImage.referrer(to: plain.manifest, artifactType: "application/sbom", seed: 2)
        try bench.mirror.add(plain, "a/a", tag: "1")
        bench.mirror.add(signature, to: plain.digest)
        bench.mirror.add(sbom, to: plain.digest)
        let mapping = "{ from: a/a, tags: { glob: \"1\" }, artifacts: { exclude: [application/sbom] } }"
        let report = try await bench.run(mapping)
        #expect(report.outcome == .done && report.manifestReads == 2)
        #expect(bench.mirror.isHeld(signature.digest) && !bench.mirror.isHeld(sbom.digest))
        let firstBlob = try #require(bench.mirror.log.firstIndex { $0.hasPrefix("blob ") })
        let signatureRead = try #require(bench.mirror.log.firstIndex(of: "read \(signature.digest)"))
        #expect(signatureRead < firstBlob)
    }

    @Test("referrers that cannot be listed are a remark, required ones that are not there a failure")
    func missingReferrers() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "a/a", tag: "1")
        bench.mirror.change { $0.failures["referrers \(plain.digest)"] = [.denied] }
        let report = try await bench.run("{ from: a/a, tags: { glob: \"1\" } }", artifacts: true)
        #expect(report.outcome == .done && report.images.first?.problem?.hasPrefix("without its referrers") == true)
        let required = "{ from: a/a, tags: { glob: \"1\" }, artifacts: { require_artifacts: true } }"
        #expect(try await bench.run(required).outcome == .failed)
    }

    @Test("progress adds up to what was announced")
    func progress() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "a/a", tag: "1")
        let report = try await bench.run("{ from: a/a, tags: { glob: \"1\" } }")
        let total = plain.blobs.reduce(0) { $0 + $1.count }
        var highest = 0
        for event in bench.events.withLock({ $0 }) {
            switch event {
            case .sized(_, let announced, let received): #expect(announced == total && received == 0)
            case .progress(_, let received): highest = max(highest, received)
            default: break
            }
        }
        #expect(highest == total && report.bytes == total + plain.manifest.content.count)
    }
}
