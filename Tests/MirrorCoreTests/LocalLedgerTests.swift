import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

@Suite("Local quota ledger", .timeLimit(.minutes(1)))
struct LocalLedgerTests {
    var bench = LedgerBench()
    let account = LedgerBench.account

    @Test("a read is kept before it is granted, and its refund after")
    mutating func kept() async throws {
        let ledger = bench.start()
        let claim = try await ledger.claim(for: .pull, on: account)
        #expect(bench.kept?.spentEver == [.pull: 1])
        ledger.settle(claim, isSpent: false)
        #expect(bench.kept?.spentEver == [.pull: 0])
    }

    @Test("reads claimed at once are all charged, and the last record has them all")
    mutating func concurrent() async throws {
        let ledger = bench.start()
        let account = account
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let purpose = Purpose.allCases[number % 2]
                    let claim = try await ledger.claim(for: purpose, on: account)
                    ledger.settle(claim, isSpent: number % 4 != 0)
                }
            }
            try await group.waitForAll()
        }
        #expect(bench.kept?.spentEver == [.pull: 50, .prewarm: 100])
        #expect(bench.start().only?.spentEver == [.pull: 50, .prewarm: 100])
    }

    @Test("everything that was known is known after a restart")
    mutating func restart() async throws {
        let ledger = bench.start()
        ledger.observe(remaining: 15, source: "192.0.2.1")
        let claim = try await ledger.claim(for: .prewarm, on: account)
        ledger.settle(claim, isSpent: true)
        let before = ledger.only
        let next = bench.start()
        #expect(next.only == before)
        #expect(next.only?.remaining == 14)
        #expect(next.only?.spent == [.prewarm: 1])
        #expect(next.only?.spentElsewhere == 5)
        #expect(next.only?.source == "192.0.2.1")
        // The account in use is not known yet: it is taken to be the last one.
        #expect(next.pressure(on: .dockerHub) == .scarce(0.6))
        #expect(bench.metrics.value(of: .quotaRemaining, "docker.io", "somebody") == 14)
        #expect(bench.spentTotal(.prewarm) == 1)
    }

    @Test("an index that cannot be written refuses nothing, and is told of once")
    mutating func indexFails() async throws {
        let ledger = bench.start()
        bench.index.failCommits(with: .full)
        for _ in 0..<3 { _ = try await ledger.claim(for: .pull, on: account) }
        #expect(bench.log.all.count == 1)
        bench.index.failCommits(with: nil)
        _ = try await ledger.claim(for: .pull, on: account)
        #expect(bench.kept?.spentEver == [.pull: 4])
        bench.index.failCommits(with: .full)
        _ = try await ledger.claim(for: .pull, on: account)
        #expect(bench.log.all.count == 2)
    }

    @Test("background work is refused at the reserve of its upstream, and pulls are not")
    mutating func reserve() async throws {
        let ledger = bench.start()
        ledger.observe(remaining: 10)
        await #expect(throws: UpstreamError.reserved(retryAfter: .seconds(3600))) {
            try await ledger.claim(for: .refresh, on: account)
        }
        #expect(bench.kept?.spentEver == [:])
        _ = try await ledger.claim(for: .pull, on: account)
        let elsewhere = QuotaAccount(upstream: UpstreamName("ghcr.io"))
        _ = try await ledger.claim(for: .refresh, on: elsewhere)
    }

    @Test("pressure is that of the account in use")
    mutating func accountInUse() async throws {
        let ledger = bench.start()
        #expect(ledger.pressure(on: .dockerHub) == .none)
        ledger.observe(remaining: 0)
        let until = bench.clock.timekeeper.wall() + .seconds(3600)
        #expect(ledger.pressure(on: .dockerHub) == .exhausted(until: until))
        #expect(ledger.pressure(on: UpstreamName("ghcr.io")) == .none)
        _ = try await ledger.claim(for: .pull, on: QuotaAccount(upstream: .dockerHub))
        #expect(ledger.pressure(on: .dockerHub) == .none)
        #expect(ledger.status().map(\.account.account) == ["anonymous", "somebody"])
    }

    @Test("what has no limits and was never read from is not listed")
    mutating func unlisted() {
        let ledger = bench.start()
        ledger.observe(QuotaObservation(isManifest: true), on: account, since: ledger.mark())
        #expect(ledger.status().isEmpty)
        #expect(bench.index.history.isEmpty)
    }

    @Test("who is counted for, without limits, is an account without limits before anything was read")
    mutating func unlimited() {
        let ledger = bench.start()
        ledger.observe(QuotaObservation(source: "somebody", isManifest: true), on: account, since: ledger.mark())
        #expect(ledger.status().map(\.account) == [account])
        #expect(ledger.pressure(on: account.upstream) == .none)
    }

    @Test("gauges follow what is known, and go when there is no limit")
    mutating func gauges() async throws {
        let ledger = bench.start()
        ledger.observe(remaining: 15)
        let text = bench.metrics.text()
        #expect(text.contains("tidepool_quota_limit{upstream=\"docker.io\",account=\"somebody\"} 20\n"))
        #expect(text.contains("tidepool_quota_remaining{upstream=\"docker.io\",account=\"somebody\"} 15\n"))
        _ = try await ledger.claim(for: .pull, on: account)
        #expect(bench.metrics.value(of: .quotaRemaining, "docker.io", "somebody") == 14)
        ledger.observe(QuotaObservation(isManifest: true), on: account, since: ledger.mark())
        #expect(!bench.metrics.text().contains("somebody"))
    }

    @Test("the counter of what was spent never falls, and goes on after a restart")
    mutating func counter() async throws {
        let ledger = bench.start()
        let refunded = try await ledger.claim(for: .pull, on: account)
        #expect(bench.spentTotal(.pull) == 0)
        ledger.settle(refunded, isSpent: false)
        #expect(bench.spentTotal(.pull) == 0)
        ledger.settle(try await ledger.claim(for: .pull, on: account), isSpent: true)
        #expect(bench.spentTotal(.pull) == 1)
        // This one is under way when the process ends.
        _ = try await ledger.claim(for: .pull, on: account)
        _ = bench.start()
        #expect(bench.spentTotal(.pull) == 2)
    }

    @Test("the log tells of exhaustion, of its end by time and of another source, and names nobody")
    mutating func log() {
        let ledger = bench.start(reserve: 5)
        ledger.observe(remaining: 0, source: "somebody")
        bench.clock.advance(by: .seconds(3600))
        #expect(ledger.pressure(on: .dockerHub) == .none)
        ledger.observe(remaining: 20, source: "somebody-else")
        #expect(
            bench.log.all == [
                "notice: quota is exhausted back_in=3600s upstream=docker.io",
                "notice: quota is back upstream=docker.io",
                "notice: quota is charged to another address or account upstream=docker.io",
            ]
        )
    }
}
