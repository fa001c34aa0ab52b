import MirrorCore
import MirrorTesting
import OCI
import Testing

@Suite("Tags", .timeLimit(.minutes(1)))
struct TagTests {
    let document = #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#

    @Test("a cold pull costs one HEAD and one GET by digest, a warm one nothing")
    func coldAndWarm() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: "1", manifest: document)
        let cold = try await bench.manifest("1")
        #expect(cold.head.digest == digest)
        #expect(cold.bytes == Array(document.utf8))
        #expect(cold.head.outcome == .miss)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest])
        #expect(bench.hub.requests.last?.reference == digest.description)
        let warm = try await bench.manifest("1")
        #expect(warm.head.outcome == .hit)
        #expect(warm.bytes == cold.bytes)
        #expect(bench.hub.requests.count == 2)
    }

    @Test("after tag_ttl one HEAD is made, however many ask at once, and no GET")
    func revalidates() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        let gate = Gate()
        bench.hub.change { $0.headGate = gate }
        try await withThrowingTaskGroup { group in
            for _ in 0..<30 { group.addTask { try await bench.manifest("1").head.outcome } }
            await gate.reached()
            gate.open()
            for try await outcome in group { #expect(outcome == .revalidated || outcome == .hit) }
        }
        #expect(bench.hub.count(.headManifest) == 2)
        #expect(bench.hub.count(.manifest) == 1)
    }

    @Test("a HEAD inside tag_ttl needs no manifest")
    func headOnly() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: "1", manifest: document)
        let first = try await bench.manifest("1", headOnly: true)
        #expect(first.head.digest == digest && first.head.size == document.utf8.count)
        let second = try await bench.manifest("1", headOnly: true)
        #expect(second.head.outcome == .hit)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest])
    }

    @Test("a client that asks by HEAD and then by digest costs one HEAD, though nothing has been written down yet")
    func headThenDigest() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: "1", manifest: document)
        bench.index.failCommits(with: .failed("busy"))
        #expect(try await bench.manifest("1", headOnly: true).head.digest == digest)
        _ = try await bench.manifest(digest.description)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest])
    }

    @Test("a tag that moved costs one GET for the new digest")
    func moves() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        let moved = bench.hub.add(tag: "1", manifest: document + " ")
        bench.clock.advance(by: .seconds(61))
        #expect(try await bench.manifest("1").head.digest == moved)
        #expect(bench.hub.count(.manifest) == 2)
    }

    @Test("a tag that moved to what cannot be had serves what is held, and goes on doing so")
    func movedOutOfReach() async throws {
        let bench = Bench()
        let old = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.hub.add(tag: "1", manifest: document + " ")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.manifest: .pullLimited(retryAfter: .seconds(600))] }
        for _ in 0..<2 {
            let answer = try await bench.manifest("1")
            #expect(answer.head.digest == old && answer.bytes == Array(document.utf8))
            guard case .stale("pull_limit", _) = answer.head.outcome else {
                Issue.record("\(answer.head.outcome)")
                return
            }
        }
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.headManifest: .unavailable(.dns)] }
        #expect(try await bench.manifest("1").head.digest == old)
    }

    @Test("a tag whose manifest was replaced within tag_ttl is asked for once more")
    func replaced() async throws {
        let bench = Bench()
        let old = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1", headOnly: true)
        let new = bench.hub.add(tag: "1", manifest: document + " ")
        bench.hub.change { $0.manifests[old] = nil }
        #expect(try await bench.manifest("1").head.digest == new)
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("immutable tags are not checked again")
    func immutable() async throws {
        let bench = Bench { $0.immutableTags = [Glob("v*")] }
        bench.hub.add(tag: "v1", manifest: document)
        _ = try await bench.manifest("v1")
        bench.clock.advance(by: .seconds(86_400))
        #expect(try await bench.manifest("v1").head.outcome == .hit)
        #expect(bench.hub.count(.headManifest) == 1)
    }

    @Test(
        "an outage serves what is held as stale",
        arguments: [
            UpstreamError.unavailable(.dns), .unavailable(.timeout), .unavailable(.status(503)),
            .pullLimited(retryAfter: nil), .abuseLimited(retryAfter: .seconds(60)), .credentialsRefused,
        ]
    )
    func stale(error: UpstreamError) async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        let fresh = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(3600))
        bench.hub.change { $0.outage = [.headManifest: error] }
        let stale = try await bench.manifest("1")
        guard case .stale(let reason, _) = stale.head.outcome else {
            Issue.record("not stale: \(stale.head.outcome)")
            return
        }
        #expect(reason == error.label)
        #expect(stale.bytes == fresh.bytes)
        #expect(bench.metrics.value(of: .staleServed, "docker.io", error.label) == 1)
    }

    @Test("an outage with nothing held is an error, and not a 404")
    func outageWhenCold() async throws {
        let bench = Bench()
        bench.hub.change { $0.outage = [.headManifest: .unavailable(.dns)] }
        await #expect(throws: MirrorError.unavailable(reason: "dns", retryAfter: nil)) {
            try await bench.manifest("1")
        }
    }

    @Test("what was last checked longer ago than stale_if_error is not served")
    func tooStale() async throws {
        let bench = Bench { $0.staleIfError = .seconds(100) }
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(101))
        bench.hub.change { $0.outage = [.headManifest: .unavailable(.dns)] }
        await #expect(throws: MirrorError.self) { try await bench.manifest("1") }
    }

    @Test("a pinned tag is served however long ago it was checked, and when upstream has it no more")
    func pinned() async throws {
        let bench = Bench { $0.staleIfError = .seconds(100) }
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        let pin = try (Reference("1"), bench.repository("nginx"))
        bench.index.post([.pinned(pin.0, in: pin.1, since: bench.clock.timekeeper.wall())])
        bench.clock.advance(by: .seconds(10_000))
        bench.hub.change { $0.outage = [.headManifest: .unavailable(.dns)] }
        #expect(try await bench.manifest("1").head.outcome.staleReason == "dns")
        bench.hub.change { content in
            content.outage = [:]
            content.tags = [:]
        }
        bench.clock.advance(by: .seconds(61))
        #expect(try await bench.manifest("1").head.outcome.staleReason == "gone")
        bench.index.post([.unpinned(pin.0, in: pin.1)])
        bench.clock.advance(by: .seconds(61))
        await #expect(throws: MirrorError.manifestUnknown) { try await bench.manifest("1") }
    }

    @Test("a check that takes longer than revalidate_within is finished in the background")
    func slowCheck() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        let gate = Gate()
        bench.hub.change { $0.headGate = gate }
        async let answer = bench.manifest("1")
        await gate.reached()
        while bench.metrics.value(of: .staleServed, "docker.io", "timeout") == 0 {
            bench.clock.advance(by: .seconds(2))
            await Task.yield()
        }
        guard case .stale = try await answer.head.outcome else {
            Issue.record("not stale")
            return
        }
        gate.open()
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("a tag that is gone upstream is refused, and comes back when upstream has it again")
    func gone() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.tags = [:] }
        await #expect(throws: MirrorError.manifestUnknown) { try await bench.manifest("1") }
        #expect(try await bench.manifest(digest.description).head.outcome == .hit)
        bench.hub.change { $0.tags["1"] = digest }
        bench.clock.advance(by: .seconds(11))
        #expect(try await bench.manifest("1").head.digest == digest)
        #expect(bench.hub.count(.manifest) == 1)
    }

    @Test("with on_upstream_gone: serve, a tag that is gone is served as stale")
    func goneButServed() async throws {
        let bench = Bench { $0.onUpstreamGone = .serve }
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.tags = [:] }
        guard case .stale(let reason, _) = try await bench.manifest("1").head.outcome else {
            Issue.record("not stale")
            return
        }
        #expect(reason == "gone")
    }

    @Test("a tag that is gone and served all the same is asked for once in negative_ttl")
    func goneAndServedCheaply() async throws {
        let bench = Bench { $0.onUpstreamGone = .serve }
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.tags = [:] }
        for _ in 0..<5 {
            #expect(try await bench.manifest("1").head.outcome.staleReason == "gone")
            await bench.settled()
        }
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("a tag that upstream denies is served for denied_grace, and then is denied")
    func deniedGrace() async throws {
        let bench = Bench { $0.deniedGrace = .seconds(600) }
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.hub.change { $0.outage = [.headManifest: .denied] }
        for _ in 0..<2 {
            bench.clock.advance(by: .seconds(299))
            #expect(try await bench.manifest("1").head.outcome.staleReason == "denied")
        }
        bench.clock.advance(by: .seconds(2))
        await #expect(throws: MirrorError.denied) { try await bench.manifest("1") }
    }

    @Test("a tag that upstream denies is denied at once without denied_grace")
    func denied() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.headManifest: .denied] }
        for _ in 0..<3 { await #expect(throws: MirrorError.denied) { try await bench.manifest("1") } }
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("a missing tag is asked for once in negative_ttl")
    func negative() async throws {
        let bench = Bench()
        for _ in 0..<10 {
            await #expect(throws: MirrorError.manifestUnknown) { try await bench.manifest("none") }
        }
        #expect(bench.hub.requests.count == 1)
        bench.clock.advance(by: .seconds(11))
        await #expect(throws: MirrorError.manifestUnknown) { try await bench.manifest("none") }
        #expect(bench.hub.requests.count == 2)
    }

    @Test("a registry without HEAD is asked by one GET, and that is remembered")
    func headUnsupported() async throws {
        let bench = Bench()
        bench.other.add(tag: "1", manifest: document)
        bench.other.change { $0.outage = [.headManifest: .headUnsupported] }
        #expect(try await bench.manifest("1", "ghcr.io/org/app").bytes == Array(document.utf8))
        bench.clock.advance(by: .seconds(61))
        _ = try await bench.manifest("1", "ghcr.io/org/app")
        #expect(bench.other.count(.headManifest) == 1)
        #expect(bench.other.requests.filter { $0.kind == .manifest }.map(\.reference) == ["1", "1"])
    }

    @Test("Docker Hub is never asked for a tag by GET")
    func neverByTag() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        bench.hub.change { $0.outage = [.headManifest: .headUnsupported] }
        await #expect(throws: MirrorError.self) { try await bench.manifest("1") }
        #expect(bench.hub.count(.manifest) == 0)
    }

    @Test("all spellings of an image are one")
    func spellings() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        for path in ["nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx", "dockerhub/library/nginx"]
        {
            _ = try await bench.manifest("1", path)
        }
        #expect(bench.hub.requests.map(\.kind) == [.headManifest, .manifest])
    }
}
