import MirrorTesting
import Testing

@testable import MirrorCore

/// Docker Hub's own account: a window that begins with the first read after the last one ended.
private struct HubAccount {
    var limit = 40
    var used = 0
    var endsAt: Duration?

    var remaining: Int { limit - used }

    mutating func advance(to now: Duration) {
        guard let end = endsAt, end <= now else { return }
        used = 0
        endsAt = nil
    }

    /// Counts a read, if there is one left.
    mutating func read(at now: Duration) -> Bool {
        guard remaining > 0 else { return false }
        used += 1
        endsAt = endsAt ?? now + .seconds(3600)
        return true
    }

    var headers: QuotaObservation {
        QuotaObservation(limit: limit, window: .seconds(3600), remaining: remaining, isManifest: true)
    }
}

/// A mirror's ledger beside the Hub's account, and what the ledger should have written down.
private struct LedgerPlay {
    var bench = LedgerBench()
    var ledger: LocalLedger
    var hub = HubAccount()
    var random: SeededRandom
    var spentEver: [Purpose: Int] = [:]
    /// Ours in the present window; reads that never reached the Hub but were charged by a crash are in it.
    var spentInWindow = 0

    init(seed: UInt64) {
        ledger = bench.start(reserve: 5)
        random = SeededRandom(seed: seed)
        look()
    }

    /// A HEAD: free, and tells.
    mutating func look() {
        ledger.observe(hub.headers, on: LedgerBench.account, since: ledger.mark())
    }

    mutating func step() async throws {
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<5: try await read()
        case 5: try await crash()
        case 6: try await neverSent()
        case 7: restart()
        case 8: otherMachine()
        case 9: look()
        case 10: pass(seconds: Int.random(in: 1...300, using: &random))
        default: if Int.random(in: 0..<4, using: &random) == 0 { changeLimit() }
        }
    }

    private mutating func claim() async throws -> QuotaClaim? {
        let purpose = Purpose.allCases.randomElement(using: &random) ?? .pull
        let isAllowed = purpose == .pull || (hub.remaining > 5)
        do throws(UpstreamError) {
            let claim = try await ledger.claim(for: purpose, on: LedgerBench.account)
            #expect(isAllowed)
            return claim
        } catch {
            #expect(!isAllowed, "\(error)")
            return nil
        }
    }

    private mutating func charge(_ claim: QuotaClaim) {
        spentEver[claim.purpose, default: 0] += 1
        spentInWindow += 1
    }

    private mutating func read() async throws {
        guard let claim = try await claim() else { return }
        let mark = ledger.mark()
        let isRead = hub.read(at: bench.clock.now)
        var answer = hub.headers
        answer.isManifest = isRead
        answer.isRefusal = !isRead
        ledger.observe(answer, on: LedgerBench.account, since: mark)
        ledger.settle(claim, isSpent: isRead)
        if isRead { charge(claim) }
    }

    /// The process dies between the claim and the answer: the Hub may have counted.
    private mutating func crash() async throws {
        guard let claim = try await claim() else { return }
        if Bool.random(using: &random) { _ = hub.read(at: bench.clock.now) }
        charge(claim)
        restart()
        look()
    }

    /// The connection never came about.
    private mutating func neverSent() async throws {
        guard let claim = try await claim() else { return }
        ledger.settle(claim, isSpent: false)
    }

    private mutating func restart() {
        ledger = bench.start(reserve: 5)
    }

    private mutating func otherMachine() {
        for _ in 0..<Int.random(in: 1...4, using: &random) { _ = hub.read(at: bench.clock.now) }
        look()
    }

    private mutating func changeLimit() {
        // Below 50, so that no rise is a small variation: each new window is seen.
        hub.limit = max(hub.used, Int.random(in: 20..<50, using: &random))
        look()
    }

    private mutating func pass(seconds: Int) {
        bench.clock.advance(by: .seconds(seconds))
        let used = hub.used
        hub.advance(to: bench.clock.now)
        if hub.used < used { spentInWindow = 0 }
        look()
    }

    func check() {
        let status = ledger.only
        #expect(status?.limit == hub.limit)
        #expect(status?.remaining == hub.remaining)
        #expect(status?.spentEver.filter { $0.value != 0 } == spentEver)
        #expect(status?.spent.values.reduce(0, +) == spentInWindow)
        #expect(status?.spentElsewhere == max(0, hub.used - spentInWindow))
        #expect(status?.isExhausted == (hub.remaining == 0))
        for purpose in Purpose.allCases { #expect(bench.spentTotal(purpose) == spentEver[purpose] ?? 0) }
    }
}

@Suite("Local quota ledger beside the Hub's own account", .timeLimit(.minutes(1)))
struct LedgerModelTests {
    @Test("they are equal after each of 1,000 mixed operations, with restarts in between", arguments: 1...8)
    func equal(seed: UInt64) async throws {
        var play = LedgerPlay(seed: seed)
        for _ in 0..<1000 {
            try await play.step()
            play.check()
        }
        #expect(play.spentEver.values.reduce(0, +) > 100)
    }
}
