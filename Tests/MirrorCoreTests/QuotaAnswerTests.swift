import Testing

@testable import MirrorCore

@Suite("Quota account: what answers tell")
struct QuotaAnswerTests {
    var play = QuotaPlay()

    @Test("a later answer is believed, an overtaken one only when it tells of less (rule 1)")
    mutating func overtaking() {
        let early = play.mark
        play.answer(remaining: 15)
        play.answer(remaining: 17, since: early)
        #expect(play.remaining == 15)
        play.answer(remaining: 12, since: early)
        #expect(play.remaining == 12)
        play.answer(remaining: 14)
        #expect(play.remaining == 14)
    }

    @Test("an overtaken answer of the window before is no news of this one (rule 1)")
    mutating func overtakenByWindow() {
        play.answer(remaining: 1)
        let early = play.mark
        play.answer(remaining: 19)
        play.answer(remaining: 0, since: early)
        #expect(play.remaining == 19)
        #expect(play.state.pressure(keeping: 0) == .none)
    }

    @Test("an overtaken answer of another limit or another bucket is no news of this one (rule 1)")
    mutating func overtakenByChange() {
        play.answer(remaining: 15)
        let early = play.mark
        play.answer(remaining: 150, of: 200)
        play.answer(remaining: 14, of: 20, since: early)
        #expect(play.remaining == 150)
        var other = QuotaPlay.headers(remaining: 100, of: 200)
        other.source = "192.0.2.1"
        play.answer(other)
        let late = play.mark
        play.answer(other)
        other.source = "192.0.2.2"
        other.remaining = 3
        play.answer(other, since: late)
        #expect(play.remaining == 100)
    }

    @Test(
        "a window begins when less is used up than before (rule 2)",
        arguments: [
            // limit and remaining before, then after
            (20, 12, 20, 13, true), (20, 12, 20, 12, false), (20, 12, 20, 11, false),
            // Small variations are the same window where numbers are large.
            (100, 40, 100, 42, false), (100, 40, 100, 43, true), (100, 40, 100, 100, true),
            // Another limit: what is used up counts.
            (100, 40, 200, 140, false), (100, 40, 200, 150, true), (200, 140, 100, 40, false), (100, 40, 10, 0, false),
        ]
    )
    mutating func windowBegins(limit: Int, remaining: Int, newLimit: Int, newRemaining: Int, begins: Bool) {
        play.read(remaining: remaining, of: limit)
        play.pass(seconds: 60)
        play.answer(remaining: newRemaining, of: newLimit)
        #expect(play.state.record.limit == newLimit)
        #expect(play.remaining == newRemaining)
        #expect(play.spent == (begins ? [:] : [.pull: 1]))
        #expect(play.state.record.spentEver == [.pull: 1])
    }

    @Test("a read whose own answer tells of the new window is spent in it")
    mutating func readBeginsWindow() {
        play.read(.refresh, remaining: 3)
        play.read(remaining: 19)
        #expect(play.spent == [.pull: 1])
        #expect(play.state.spentElsewhere == 0)
        #expect(play.secondsToReset == 3600)
    }

    @Test("when the window's time has passed, the whole limit is to be expected (rule 2)")
    mutating func windowPasses() {
        play.read(remaining: 5)
        play.pass(seconds: 3599)
        #expect(play.remaining == 5)
        #expect(play.secondsToReset == 1)
        play.pass(seconds: 1)
        #expect(play.remaining == 20)
        #expect(play.spent == [:])
        let status = play.state.status(of: QuotaAccount(upstream: .dockerHub), at: play.now)
        #expect(status.isExpected)
        #expect(status.resetsAt == nil)
        #expect(status.spentEver == [.pull: 1])
        play.answer(remaining: 18)
        #expect(play.state.spentElsewhere == 2)
    }

    @Test("answers without limits mean that there are none, and their return goes on where it was")
    mutating func vanish() {
        play.read(remaining: 4)
        play.answer(QuotaObservation(isManifest: false))
        #expect(play.remaining == 4)
        let early = play.mark
        play.answer(remaining: 4)
        play.answer(QuotaObservation(isManifest: true), since: early)
        #expect(play.remaining == 4)
        play.answer(QuotaObservation(isManifest: true))
        #expect(play.remaining == nil)
        #expect(play.state.record.limit == nil)
        #expect(play.state.pressure(keeping: 10) == .none)
        #expect(play.claim(.refresh, keeping: 10) != nil)
        let status = play.state.status(of: QuotaAccount(upstream: .dockerHub), at: play.now)
        #expect(status.spent == [.pull: 1, .refresh: 1])
        #expect(status.window == nil && status.resetsAt == nil)
        play.answer(remaining: 3)
        #expect(play.spent == [.pull: 1, .refresh: 1])
    }

    @Test("an account that never had a limit is known to have none, and not unknown")
    mutating func paid() {
        play.answer(QuotaObservation(source: "acme", isManifest: false))
        #expect(play.state.record.observedAt == nil)
        play.answer(QuotaObservation(source: "acme", isManifest: true))
        let status = play.state.status(of: QuotaAccount(upstream: .dockerHub, account: "acme"), at: play.now)
        #expect(status.observedAt == play.now)
        #expect(status.source == "acme")
        #expect(status.limit == nil && status.remaining == nil)
    }

    @Test("answers without limits do not end exhaustion: the repository may be exempt")
    mutating func exempt() {
        play.answer(remaining: 0)
        play.answer(QuotaObservation(isManifest: true))
        #expect(play.remaining == 0)
        #expect(play.state.pressure(keeping: 0) == .exhausted(until: play.now + .seconds(3600)))
    }

    @Test("another window length holds from then on")
    mutating func windowChanges() {
        play.read(remaining: 12)
        play.pass(seconds: 1800)
        play.answer(QuotaObservation(limit: 20, window: .seconds(21_600), remaining: 12))
        #expect(play.secondsToReset == 19_800)
        #expect(play.spent == [.pull: 1])
        play.answer(QuotaObservation(limit: 20, window: .seconds(60), remaining: 12))
        #expect(play.remaining == 12)
        #expect(play.secondsToReset == 60)
    }

    @Test("what others spend is used up, and not by us")
    mutating func others() {
        play.answer(remaining: 20)
        play.read(remaining: 19)
        #expect(play.state.spentElsewhere == 0)
        play.answer(remaining: 15)
        #expect(play.state.spentElsewhere == 4)
        play.read(.prewarm, remaining: 12)
        #expect(play.state.spentElsewhere == 6)
        #expect(play.restarted().state.spentElsewhere == 6)
        play.answer(remaining: 20)
        #expect(play.state.spentElsewhere == 0)
    }

    @Test("a registry that counts every second read makes nothing of others")
    mutating func halfCounting() {
        for remaining in [20, 19, 19, 18, 18] { play.read(remaining: remaining) }
        #expect(play.spent == [.pull: 5])
        #expect(play.state.spentElsewhere == 0)
        #expect(play.secondsToReset == 3600)
    }

    @Test("when another address or account is charged, nothing of before holds")
    mutating func sourceChanges() {
        var answer = QuotaPlay.headers(remaining: 0)
        answer.source = "192.0.2.1"
        _ = play.claim()
        play.answer(answer)
        #expect(play.state.takeNotices() == [.exhausted(until: play.now + .seconds(3600))])
        answer.source = "192.0.2.2"
        answer.remaining = 7
        play.answer(answer)
        #expect(play.remaining == 7)
        #expect(play.state.takeNotices() == [.sourceChanged, .isBack])
        // The challenge names the address before the account is known, and tells nothing of limits.
        play.answer(QuotaObservation(source: "192.0.2.3"))
        #expect(play.remaining == 7)
        #expect(play.state.takeNotices() == [])
    }

    @Test("impossible numbers are brought into what can be")
    mutating func hostile() {
        play.answer(QuotaObservation(limit: .max, window: .seconds(Int64.max), remaining: .min, resetsIn: .seconds(-1)))
        #expect(play.remaining == 0)
        play.answer(QuotaObservation(limit: -5, window: .zero, remaining: .max))
        #expect(play.remaining == 0)
        play.answer(QuotaObservation(limit: 20, remaining: 30, resetsIn: .seconds(Int64.max)))
        #expect(play.remaining == 20)
        #expect(play.restarted(after: .seconds(1)).remaining == 20)
    }
}
