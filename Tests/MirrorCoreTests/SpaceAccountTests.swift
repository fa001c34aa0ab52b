import OCI
import Testing

@testable import MirrorCore

@Suite("The account of the cache's room")
struct SpaceAccountTests {
    let one = sha256([1])
    let two = sha256([2])

    @Test("what is stored, promised and leaving is bounded together")
    func bound() {
        var account = SpaceAccount(SpaceLimits(maxSize: 100))
        let isFirst = account.raise(one, to: 40, stored: 50)
        #expect(isFirst)
        let isSecond = account.raise(two, to: 11, stored: 50)
        #expect(!isSecond)
        #expect(account.shortage(of: 11, stored: 50) == 1)
        account.leaves(5)
        let isWhileLeaving = account.raise(two, to: 10, stored: 45)
        #expect(isWhileLeaving)
        let isOneMore = account.raise(two, to: 11, stored: 45)
        #expect(!isOneMore)
        account.left(5)
        let isThen = account.raise(two, to: 15, stored: 45)
        #expect(isThen)
    }

    @Test("a promise is raised by the difference, and never lowered")
    func raise() {
        var account = SpaceAccount(SpaceLimits(maxSize: 100))
        let steps = [(40, true), (60, true), (30, true), (101, false), (100, true)]
        for (total, expected) in steps {
            let isRaised = account.raise(one, to: total, stored: 0)
            #expect(isRaised == expected)
        }
        #expect(account.committed == 100)
    }

    @Test("what is to stay free on the device stays free of promises")
    func device() {
        var account = SpaceAccount(SpaceLimits(maxSize: .max, minFree: 10))
        account.measured(free: 50, written: 0)
        let isFirst = account.raise(one, to: 40, stored: 1_000)
        #expect(isFirst)
        let isSecond = account.raise(two, to: 1, stored: 1_000)
        #expect(!isSecond)
        // Measured again when 30 of them are written.
        account.measured(free: 20, written: 30)
        #expect(account.shortage(of: 0, stored: 0) == 0)
        // Ended early: what was not written is free again.
        account.release(one, written: 30)
        #expect(account.shortage(of: 10, stored: 0) == 0)
        #expect(account.shortage(of: 11, stored: 0) == 1)
    }

    @Test("an end and a removal are moments after which what is stored is to be counted again")
    func epoch() {
        var account = SpaceAccount(SpaceLimits())
        let start = account.epoch
        account.leaves(1)
        account.release(one, written: 0)
        #expect(account.epoch == start + 2)
    }

    @Test("a length that no disk has is refused and not calculated with")
    func absurd() {
        var account = SpaceAccount(SpaceLimits(maxSize: 100, minFree: 10))
        account.measured(free: 50, written: 0)
        let isRaised = account.raise(one, to: .max, stored: 50)
        #expect(!isRaised)
    }

    @Test("without a bound everything fits in, and there is no watermark to reach")
    func unbounded() {
        var account = SpaceAccount(SpaceLimits())
        let isRaised = account.raise(one, to: 1 << 59, stored: 1 << 60)
        #expect(isRaised)
        #expect(SpaceLimits().highWatermark == .max)
        #expect(SpaceLimits(maxSize: 1000).highWatermark == 950)
        #expect(SpaceLimits(maxSize: 1000).lowWatermark == 900)
    }
}
