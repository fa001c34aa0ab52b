import OCI
import Testing

@testable import MirrorCore

@Suite("Freshness", .timeLimit(.minutes(1)))
struct FreshnessTests {
    let document = #"{"schemaVersion":2,"layers":[]}"#

    static let table: [(Readiness, Int?, Revalidation)] = [
        (.ready, 59, .unneeded), (.ready, 60, .due), (.ready, nil, .due),
        (.scarce(0.001), 60, .unneeded), (.scarce(0.001), 61, .due),
        (.scarce(0.5), 329, .unneeded), (.scarce(0.5), 330, .due),
        (.scarce(1), 599, .unneeded), (.scarce(1), 600, .due), (.scarce(7), 600, .due), (.scarce(1), nil, .due),
        (.held(.pullLimit), 59, .unneeded), (.held(.pullLimit), 60, .deferred(.pullLimit)),
        (.held(.circuitOpen), nil, .deferred(.circuitOpen)),
    ]

    @Test(
        "an answer is used longer as quota runs out, and not at all without a question once it is old",
        arguments: Self.table
    )
    func revalidation(readiness: Readiness, age: Int?, expected: Revalidation) {
        let age = age.map { Duration.seconds($0) }
        #expect(Revalidation(age: age, ttl: .seconds(60), readiness: readiness) == expected)
    }

    @Test("the readiness of the upstream is not looked at within tag_ttl")
    func cheap() {
        var looks = 0
        func look() -> Readiness {
            looks += 1
            return .ready
        }
        _ = Revalidation(age: .seconds(1), ttl: .seconds(60), readiness: look())
        #expect(looks == 0)
        _ = Revalidation(age: .seconds(61), ttl: .seconds(60), readiness: look())
        #expect(looks == 1)
    }

    @Test("down to the reserve, a tag is checked once in ten times tag_ttl")
    func stretched() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.ledger.set(.scarce(1))
        bench.clock.advance(by: .seconds(599))
        #expect(try await bench.manifest("1").head.outcome == .hit)
        bench.clock.advance(by: .seconds(2))
        #expect(try await bench.manifest("1").head.outcome == .revalidated)
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("with quota exhausted, cached tags are served as they are, and one check a minute goes out behind the askers")
    func exhausted() async throws {
        let bench = Bench()
        let tags = (0..<5).map { "t\($0)" }
        for tag in tags {
            bench.hub.add(tag: tag, manifest: document)
            _ = try await bench.manifest(tag)
        }
        let before = bench.hub.requests.count
        bench.ledger.set(.exhausted)
        bench.clock.advance(by: .seconds(601))
        for _ in 0..<3 {
            let gate = Gate()
            bench.hub.change { $0.headGate = gate }
            var stale = 0
            for tag in tags + tags {
                // Nobody waits: the check is held back for as long as they ask.
                let outcome = try await bench.manifest(tag).head.outcome
                if case .stale("pull_limit", _) = outcome { stale += 1 }
            }
            #expect(stale == 10)
            gate.open()
            await bench.settled()
            bench.clock.advance(by: .seconds(61))
        }
        #expect(bench.hub.requests.dropFirst(before).map(\.kind) == [.headManifest, .headManifest, .headManifest])
        #expect(bench.metrics.value(of: .staleServed, "docker.io", "pull_limit") == 30)
        bench.ledger.set(.none)
        #expect(try await bench.manifest("t0").head.outcome == .revalidated)
    }

    @Test("with quota exhausted, a tag that is not held is asked for by HEAD")
    func exhaustedAndAbsent() async throws {
        let bench = Bench()
        let digest = bench.hub.add(tag: "1", manifest: document)
        bench.ledger.set(.exhausted)
        #expect(try await bench.manifest("1", headOnly: true).head.digest == digest)
        #expect(bench.hub.requests.map(\.kind) == [.headManifest])
    }

    @Test("a tag that moves while quota is exhausted stays what is held, for HEAD and GET, until there is quota")
    func movesWhileExhausted() async throws {
        let bench = Bench()
        let old = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        let new = bench.hub.add(tag: "1", manifest: document + " ")
        bench.clock.advance(by: .seconds(61))
        bench.ledger.set(.exhausted)
        _ = try await bench.manifest("1")
        await bench.settled()
        for headOnly in [true, false] {
            let head = try await bench.manifest("1", headOnly: headOnly).head
            #expect(head.digest == old)
            #expect(head.outcome.staleReason == "pull_limit")
        }
        #expect(bench.hub.count(.manifest) == 1)
        bench.ledger.set(.none)
        #expect(try await bench.manifest("1").head.digest == new)
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("what was asked for too long ago is not served without a check, exhausted or not")
    func tooStale() async throws {
        let bench = Bench { $0.staleIfError = .seconds(100) }
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.ledger.set(.exhausted)
        bench.clock.advance(by: .seconds(101))
        #expect(try await bench.manifest("1").head.outcome == .revalidated)
    }

    @Test("tag lists are stretched and served like tags")
    func lists() async throws {
        let bench = Bench()
        let repository = try bench.repository("nginx")
        bench.hub.add(tag: "1", manifest: document)
        func tags() async throws -> CacheOutcome {
            let answer = try await bench.mirror.tags(in: repository, for: bench.caller)
            #expect(answer.tags == ["1"])
            await bench.settled()
            return answer.outcome
        }
        #expect(try await tags() == .miss)
        bench.ledger.set(.scarce(1))
        bench.clock.advance(by: .seconds(599))
        #expect(try await tags() == .hit)
        bench.ledger.set(.exhausted)
        #expect(try await tags().staleReason == "pull_limit")
        #expect(bench.hub.count(.tags) == 2)
        bench.clock.advance(by: .seconds(61))
        #expect(try await tags().staleReason == "pull_limit")
        #expect(bench.hub.count(.tags) == 3)
    }
}

extension CacheOutcome {
    /// Why it is stale, if it is.
    var staleReason: String? {
        guard case .stale(let reason, _) = self else { return nil }
        return reason
    }
}
