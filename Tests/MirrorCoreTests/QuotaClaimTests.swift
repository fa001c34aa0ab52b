import Testing

@testable import MirrorCore

@Suite("Quota account: claims, exhaustion and time")
struct QuotaClaimTests {
    var play = QuotaPlay()

    @Test("a read counts from when it is granted, and a refund takes it back (rule 3)")
    mutating func refund() throws {
        play.answer(remaining: 20)
        let granted = play.claim(.prewarm)
        let claim = try #require(granted)
        #expect(play.spent == [.prewarm: 1])
        #expect(play.state.available == 19)
        play.settle(claim, isSpent: false)
        #expect(play.spent == [:])
        #expect(play.state.record.spentEver[.prewarm] == 0)
        #expect(play.state.available == 20)
    }

    @Test("a claim is settled once")
    mutating func settledOnce() throws {
        let granted = play.claim()
        let claim = try #require(granted)
        let wasUnderWay = [play.settle(claim), play.settle(claim, isSpent: false)]
        #expect(wasUnderWay == [true, false])
        #expect(play.spent == [.pull: 1])
    }

    @Test("what remains is without the reads that no answer contains yet")
    mutating func unreflected() throws {
        play.answer(remaining: 20)
        let lost = play.claim()
        play.settle(try #require(lost))
        #expect(play.state.available == 19)
        play.read(remaining: 18)
        #expect(play.state.available == 18)
        let early = play.mark
        let (first, second) = (play.claim(), play.claim())
        play.answer(remaining: 16, since: early)
        play.settle(try #require(second))
        play.answer(remaining: 17, since: early)
        play.settle(try #require(first))
        #expect(play.state.available == 16)
    }

    @Test("what was under way at a crash is spent (rule 3)")
    mutating func crash() {
        play.answer(remaining: 20)
        _ = play.claim(.refresh)
        var next = play.restarted(after: .seconds(10))
        #expect(next.spent == [.refresh: 1])
        #expect(next.state.available == 19)
        next.answer(remaining: 20)
        #expect(next.state.available == 20)
    }

    @Test(
        "background work leaves the reserve, and pulls are always granted",
        arguments: [
            // remaining, reserve → reads granted in the background before one is refused
            (20, 10, 10), (11, 10, 1), (10, 10, 0), (3, 0, 3), (0, 0, 0),
        ]
    )
    mutating func reserve(remaining: Int, reserve: Int, granted: Int) {
        play.answer(remaining: remaining)
        for _ in 0..<granted { #expect(play.claim(.refresh, keeping: reserve) != nil) }
        #expect(play.claim(.refresh, keeping: reserve) == nil)
        #expect(play.claim(.prewarm, keeping: reserve) == nil)
        #expect(play.claim(.pull, keeping: reserve) != nil)
        #expect(play.spent.values.reduce(0, +) == granted + 1)
    }

    @Test("a refusal of background work tells when quota is back")
    mutating func retryAfter() {
        play.answer(remaining: 10)
        play.pass(seconds: 600)
        let refusal = play.state.claim(1, for: .prewarm, keeping: 10, since: play.mark, at: play.now)
        #expect(refusal == .reserved(retryAfter: .seconds(3000)))
        #expect(play.spent == [:])
    }

    @Test("without a known limit nothing is refused")
    mutating func unknown() {
        for _ in 0..<100 { #expect(play.claim(.refresh, keeping: 10) != nil) }
        #expect(play.state.pressure(keeping: 10) == .none)
    }

    @Test(
        "pressure grows from twice the reserve or a fifth of the limit down to the reserve",
        arguments: [
            // limit, remaining, reserve
            (100, 100, 10, QuotaPressure.none), (100, 21, 10, .none), (100, 20, 10, .scarce(0)),
            (100, 15, 10, .scarce(0.5)), (100, 10, 10, .scarce(1)), (100, 1, 10, .scarce(1)),
            (200, 41, 10, .none), (200, 40, 10, .scarce(0)), (200, 25, 10, .scarce(0.5)),
            (100, 21, 0, .none), (100, 10, 0, .scarce(0.5)), (100, 1, 0, .scarce(0.95)),
            (20, 20, 40, .scarce(1)), (1, 1, 0, .none),
            (100, 0, 10, .exhausted(until: QuotaPlay.start + .seconds(3600))),
        ]
    )
    mutating func pressure(limit: Int, remaining: Int, reserve: Int, expected: QuotaPressure) {
        play.answer(remaining: remaining, of: limit)
        #expect(play.state.pressure(keeping: reserve) == expected)
    }

    @Test(
        "quota is back when the answer says so, else when the window ends, and never later than a window from now",
        arguments: [
            // Retry-After, window → seconds
            (nil, 3600, 3600), (60, 3600, 60), (999_999, 3600, 3600), (0, 3600, 1), (nil, nil, 60), (90, nil, 90),
            (999_999, nil, 86_400), (nil, 30, 30),
        ] as [(Int64?, Int64?, Int64)]
    )
    mutating func exhausted(retryAfter: Int64?, window: Int64?, seconds: Int64) {
        play.answer(
            QuotaObservation(
                limit: 20,
                window: window.map { .seconds($0) },
                remaining: 0,
                resetsIn: retryAfter.map { .seconds($0) },
                isRefusal: true
            )
        )
        let end = play.now + .seconds(seconds)
        #expect(play.state.pressure(keeping: 0) == .exhausted(until: end))
        #expect(play.claim(.refresh) == nil)
        play.pass(seconds: seconds - 1)
        #expect(play.state.pressure(keeping: 0) == .exhausted(until: end))
        #expect(play.restarted().state.pressure(keeping: 0) == .exhausted(until: end))
        play.pass(seconds: 1)
        if case .exhausted = play.state.pressure(keeping: 0) { Issue.record("still exhausted") }
    }

    @Test("a refusal without any number is believed too, for a minute")
    mutating func bareRefusal() {
        play.answer(QuotaObservation(isRefusal: true))
        #expect(play.state.pressure(keeping: 0) == .exhausted(until: play.now + .seconds(60)))
        play.pass(seconds: 60)
        #expect(play.state.pressure(keeping: 0) == .none)
    }

    @Test("a refusal that was overtaken is believed, but not one of the window before")
    mutating func overtakenRefusal() {
        play.answer(remaining: 1)
        let early = play.mark
        play.answer(remaining: 1)
        play.answer(QuotaObservation(isRefusal: true), since: early)
        #expect(play.remaining == 0)
        #expect(play.state.record.exhaustedUntil != nil)
        play.answer(remaining: 20)
        #expect(play.state.record.exhaustedUntil == nil)
        play.answer(QuotaObservation(isRefusal: true), since: early)
        #expect(play.remaining == 20)
    }

    @Test("an upstream that still has nothing after its own time is asked again, without a word of being back")
    mutating func prematureReset() {
        play.answer(remaining: 1)
        play.answer(QuotaObservation(resetsIn: .seconds(60), isRefusal: true))
        #expect(play.state.takeNotices() == [.exhausted(until: play.now + .seconds(60))])
        play.pass(seconds: 60)
        #expect(play.state.pressure(keeping: 0) == .scarce(1))
        #expect(play.state.takeNotices() == [])
        play.answer(remaining: 0)
        #expect(play.secondsToReset == 3540)
        #expect(play.state.takeNotices() == [])
    }

    @Test("quota that does not come back with the window is asked for again within a minute")
    mutating func latePrediction() {
        play.answer(remaining: 0)
        play.pass(seconds: 3600)
        #expect(play.remaining == 20)
        play.answer(remaining: 0)
        #expect(play.secondsToReset == 60)
    }

    @Test("an explicit reset time dates the window")
    mutating func toldReset() {
        play.answer(QuotaObservation(limit: 20, window: .seconds(3600), remaining: 8, resetsIn: .seconds(120)))
        #expect(play.secondsToReset == 120)
        play.pass(seconds: 120)
        #expect(play.remaining == 20)
    }

    @Test(
        "a kept time from the future counts as expired (rule 4)",
        arguments: [0, 1, 2]
    )
    func future(field: Int) {
        let fields = [\QuotaRecord.observedAt, \.windowBeganAt, \.exhaustedUntil]
        var record = QuotaRecord()
        record.limit = 20
        record.remaining = 0
        record.window = .seconds(3600)
        record.spentInWindow = [.pull: 20]
        record.windowBeganAt = QuotaPlay.start
        record.observedAt = QuotaPlay.start
        record.exhaustedUntil = QuotaPlay.start + .seconds(3600)
        record[keyPath: fields[field]] = QuotaPlay.start + .seconds(86_400)
        var play = QuotaPlay(record)
        play.pass(seconds: 0)
        #expect(play.remaining == 20)
        #expect(play.spent == [:])
        #expect(play.state.pressure(keeping: 0) == .none)
    }

    @Test("a clock that is set by a second expires nothing")
    mutating func clockIsSet() {
        play.answer(remaining: 8)
        play.pass(seconds: -1)
        #expect(play.remaining == 8)
        #expect(play.secondsToReset == 3600)
    }

    @Test("a record is taken when something changed, and for confirmations once a minute")
    mutating func records() {
        #expect(play.state.takeRecord() == nil)
        play.answer(remaining: 8)
        #expect(play.state.takeRecord()?.revision == 1)
        play.pass(seconds: 59)
        play.answer(remaining: 8)
        #expect(play.state.takeRecord() == nil)
        play.pass(seconds: 1)
        play.answer(remaining: 8)
        #expect(play.state.takeRecord()?.revision == 2)
        _ = play.claim()
        #expect(play.state.takeRecord()?.revision == 3)
        #expect(play.state.takeRecord() == nil)
    }

    @Test("exhaustion is noticed once, and so is its end")
    mutating func notices() {
        play.answer(remaining: 0)
        play.answer(remaining: 0)
        #expect(play.state.takeNotices() == [.exhausted(until: play.now + .seconds(3600))])
        #expect(play.state.takeNotices() == [])
        var next = play.restarted()
        #expect(next.state.takeNotices() == [])
        next.pass(seconds: 3600)
        #expect(next.state.takeNotices() == [.isBack])
        #expect(next.state.takeNotices() == [])
    }
}
