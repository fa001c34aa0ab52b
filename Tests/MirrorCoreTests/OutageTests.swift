import Logging
import OCI
import Testing

@testable import MirrorCore

@Suite("Outages", .timeLimit(.minutes(1)))
struct OutageTests {
    let document = #"{"schemaVersion":2,"layers":[]}"#

    /// Every failure that an adapter can have.
    static let failures: [UpstreamError] = [
        .notFound, .denied, .credentialsRefused, .pullLimited(retryAfter: .seconds(9)),
        .abuseLimited(retryAfter: .seconds(9)), .headUnsupported, .reserved(retryAfter: .seconds(9)),
        .unavailable(.dns), .unavailable(.refused), .unavailable(.timeout), .unavailable(.tls),
        .unavailable(.truncated), .unavailable(.status(500)), .unavailable(.queue),
        .unavailable(.circuitOpen(retryAfter: .seconds(9))), .unusable("x"), .refusedBySink, .cancelled,
    ]

    @Test("no outage and no limit is a 404", arguments: failures)
    func mapping(failure: UpstreamError) {
        for missing in [MirrorError.manifestUnknown, .blobUnknown, .repositoryUnknown] {
            let error = MirrorError(failure, missing: missing)
            switch failure {
            case .notFound: #expect(error == missing)
            case .denied: #expect(error == .denied)
            case .pullLimited, .abuseLimited, .reserved: #expect(error == .limited(retryAfter: .seconds(9)))
            case .unavailable(.circuitOpen):
                #expect(error == .unavailable(reason: "circuit_open", retryAfter: .seconds(9)))
            case .cancelled: #expect(error == .shuttingDown)
            default: #expect(error == .unavailable(reason: failure.label, retryAfter: nil))
            }
        }
    }

    @Test("the reason that a failure is in the metrics is the failure's own label", arguments: failures)
    func reasons(failure: UpstreamError) {
        guard let reason = StaleReason(failure) else {
            #expect([.notFound, .denied, .headUnsupported, .refusedBySink, .cancelled].contains(failure))
            return
        }
        #expect(reason.rawValue == failure.label)
    }

    @Test("while the circuit is open, what is held is served at once and one check a second goes out")
    func circuitOpen() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        let fresh = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        let gate = Gate()
        bench.hub.change {
            $0.isFailing = true
            $0.headGate = gate
            $0.outage = [.headManifest: .unavailable(.circuitOpen(retryAfter: .seconds(5)))]
        }
        for _ in 0..<20 {
            let answer = try await bench.manifest("1")
            #expect(answer.head.outcome.staleReason == "circuit_open")
            #expect(answer.bytes == fresh.bytes)
        }
        gate.open()
        await bench.settled()
        #expect(bench.hub.count(.headManifest) == 2)
        #expect(bench.metrics.value(of: .staleServed, "docker.io", "circuit_open") == 20)
        #expect(bench.log.messages(.warning).isEmpty)
    }

    @Test("the check behind the asker finds the upstream well again")
    func recovers() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.isFailing = true }
        #expect(try await bench.manifest("1").head.outcome.staleReason == "circuit_open")
        await bench.settled()
        #expect(try await bench.manifest("1").head.outcome == .hit)
    }

    @Test("tag lists and referrers are served at once while the circuit is open")
    func lists() async throws {
        let bench = Bench()
        let repository = try bench.repository("nginx")
        func outcomes() async throws -> [String?] {
            let tags = try await bench.mirror.tags(in: repository, for: bench.caller).outcome
            let referrers = try await bench.mirror.referrers(
                of: sha256([1]),
                artifactType: nil,
                in: repository,
                for: bench.caller
            )
            await bench.settled()
            return [tags.staleReason, referrers.outcome.staleReason]
        }
        #expect(try await outcomes() == [nil, nil])
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { content in
            content.isFailing = true
            for kind in [FakeUpstream.Kind.tags, .referrers, .headManifest] {
                content.outage[kind] = .unavailable(.circuitOpen(retryAfter: .seconds(5)))
            }
        }
        let before = bench.hub.requests.count
        for _ in 0..<5 { #expect(try await outcomes() == ["circuit_open", "circuit_open"]) }
        #expect(bench.hub.requests.count == before + 1)
    }

    @Test("what is held and proved is served by digest without a question")
    func byDigest() async throws {
        let bench = Bench()
        let blob = bench.hub.add(blob: Array("layer".utf8))
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        _ = try await bench.blob(blob)
        await bench.settled()
        let before = bench.hub.requests.count
        bench.clock.advance(by: .seconds(86_400))
        bench.hub.change { $0.isFailing = true }
        #expect(try await bench.manifest(digest.description).head.outcome == .hit)
        #expect(try await bench.blob(blob) == Array("layer".utf8))
        #expect(bench.hub.requests.count == before)
    }

    @Test("what is held but not proved for a repository is a 503 in an outage, and asked for again after it")
    func unproved() async throws {
        let bench = Bench()
        let blob = bench.hub.add(blob: Array("layer".utf8))
        let digest = bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        _ = try await bench.blob(blob)
        await bench.settled()
        let failure = UpstreamError.unavailable(.circuitOpen(retryAfter: .seconds(5)))
        bench.hub.change {
            $0.isFailing = true
            $0.outage = [.headManifest: failure, .headBlob: failure]
        }
        let expected = MirrorError.unavailable(reason: "circuit_open", retryAfter: .seconds(5))
        await #expect(throws: expected) { try await bench.manifest(digest.description, "org/one") }
        await #expect(throws: expected) { try await bench.blob(blob, "org/one") }
        bench.hub.change {
            $0.isFailing = false
            $0.outage = [:]
        }
        #expect(try await bench.manifest(digest.description, "org/one").head.digest == digest)
    }

    @Test("an outage with nothing held is not remembered, and concurrent askers share one question")
    func absent() async throws {
        let bench = Bench()
        let gate = Gate()
        bench.hub.change {
            $0.headGate = gate
            $0.failures = [.headManifest: [.unavailable(.refused)]]
        }
        await #expect(throws: MirrorError.unavailable(reason: "refused", retryAfter: nil)) {
            try await bench.manifest("1")
        }
        bench.hub.add(tag: "1", manifest: document)
        try await withThrowingTaskGroup { group in
            for _ in 0..<20 { group.addTask { try await bench.manifest("1").bytes } }
            await gate.reached()
            gate.open()
            for try await bytes in group { #expect(bytes == Array(document.utf8)) }
        }
        #expect(bench.hub.count(.headManifest) == 2)
    }

    @Test("an abuse limit pauses the checks of all tags, until it is over or a question is answered")
    func abuse() async throws {
        let bench = Bench()
        for tag in ["1", "2"] {
            bench.hub.add(tag: tag, manifest: document)
            _ = try await bench.manifest(tag)
        }
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.headManifest: .abuseLimited(retryAfter: .seconds(300))] }
        for tag in ["1", "2", "1", "2"] {
            #expect(try await bench.manifest(tag).head.outcome.staleReason == "abuse_limit")
            await bench.settled()
        }
        // The one that met it, and the first behind an asker.
        #expect(bench.hub.count(.headManifest) == 4)
        bench.hub.change { $0.outage = [:] }
        bench.clock.advance(by: .seconds(301))
        #expect(try await bench.manifest("1").head.outcome == .revalidated)
    }

    @Test("refused credentials are an alarm once, and stale content meanwhile")
    func credentials() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        _ = try await bench.manifest("1")
        bench.clock.advance(by: .seconds(61))
        bench.hub.change { $0.outage = [.headManifest: .credentialsRefused] }
        for _ in 0..<5 {
            #expect(try await bench.manifest("1").head.outcome.staleReason == "credentials_refused")
            await bench.settled()
        }
        #expect(bench.log.messages(.error).count == 1)
        #expect(bench.metrics.value(of: .credentialsRefused, "docker.io") == 1)
        bench.hub.change { $0.outage = [:] }
        #expect(try await bench.manifest("1").head.outcome == .revalidated)
        #expect(bench.metrics.value(of: .credentialsRefused, "docker.io") == 0)
        #expect(bench.log.messages(.notice).count == 1)
    }

    @Test(
        "a broken answer is asked for once more, and no other failure is",
        arguments: [
            (UpstreamError.unavailable(.truncated), 2), (.unavailable(.status(500)), 2),
            (.unavailable(.status(503)), 2),
            (.unavailable(.status(418)), 1), (.unavailable(.timeout), 1), (.unavailable(.dns), 1),
            (.pullLimited(retryAfter: nil), 1), (.abuseLimited(retryAfter: .seconds(1)), 1), (.notFound, 1),
            (.denied, 1),
        ]
    )
    func retries(failure: UpstreamError, count: Int) async throws {
        for kind in [FakeUpstream.Kind.headManifest, .manifest] {
            let bench = Bench()
            bench.hub.add(tag: "1", manifest: document)
            bench.hub.change { $0.outage = [kind: failure] }
            await #expect(throws: MirrorError.self) { try await bench.manifest("1") }
            // A 404 for what a HEAD has just told is followed by another HEAD.
            #expect(bench.hub.count(kind) == count)
        }
    }

    @Test("a read that breaks once is nothing to the client")
    func retried() async throws {
        let bench = Bench()
        bench.hub.add(tag: "1", manifest: document)
        bench.hub.change {
            $0.failures = [.headManifest: [.unavailable(.truncated)], .manifest: [.unavailable(.status(502))]]
        }
        #expect(try await bench.manifest("1").bytes == Array(document.utf8))
        #expect(bench.hub.count(.headManifest) == 2 && bench.hub.count(.manifest) == 2)
    }

    @Test("nothing is asked twice of an upstream that fails anyway")
    func noRetryWhileFailing() async throws {
        let bench = Bench()
        bench.hub.change {
            $0.isFailing = true
            $0.outage = [.headManifest: .unavailable(.status(503))]
        }
        await #expect(throws: MirrorError.self) { try await bench.manifest("1") }
        #expect(bench.hub.count(.headManifest) == 1)
    }
}
