import MirrorCore
import Testing

@testable import UpstreamHTTP

@Suite("Request rate")
struct RequestRateTests {
    /// How many are let in at that moment.
    private func admitted(_ rate: inout RequestRate, at now: Duration) -> Int {
        _ = rate.advance(to: now)
        var count = 0
        while rate.admit(at: now) != nil { count += 1 }
        return count
    }

    @Test("ten seconds' worth at once, then as fast as is configured", arguments: [(3000, 500, 50), (60, 10, 1)])
    func burst(perMinute: Int, burst: Int, perSecond: Int) {
        var rate = RequestRate(requestsPerMinute: perMinute, at: .zero)
        #expect(admitted(&rate, at: .zero) == burst)
        #expect(admitted(&rate, at: .seconds(1)) == perSecond)
        #expect(admitted(&rate, at: .seconds(3)) == perSecond * 2)
        #expect(admitted(&rate, at: .seconds(1000)) == burst)
    }

    @Test("the next one comes when its time has")
    func next() {
        var rate = RequestRate(requestsPerMinute: 6, at: .zero)
        #expect(admitted(&rate, at: .zero) == 1)
        let moment = rate.nextAdmission(at: .zero)
        #expect(moment.map { $0 >= .seconds(10) && $0 < .milliseconds(10_001) } == true)
        #expect(admitted(&rate, at: .seconds(9)) == 0)
        #expect(admitted(&rate, at: moment ?? .zero) == 1)
    }

    @Test("an abuse limit stops all for its time, and halves the rate once for all that it refused")
    func pause() {
        var rate = RequestRate(requestsPerMinute: 3000, at: .zero)
        let first = rate.pause(for: .seconds(60), sentAt: .zero, at: .seconds(1))
        let second = rate.pause(for: .seconds(50), sentAt: .milliseconds(500), at: .seconds(2))
        #expect(first.rest == .seconds(60))
        #expect(first.wasOpen)
        #expect(second.rest == .seconds(59))
        #expect(!second.wasOpen)
        #expect(rate.rate == 25)
        #expect(rate.refusal(at: .seconds(2)) == .abuseLimited(retryAfter: .seconds(59)))
        #expect(admitted(&rate, at: .seconds(60)) == 0)
        #expect(rate.advance(to: .seconds(61)) == .init(requestsPerMinute: 1500))
        // Gently: nothing has gathered during the pause.
        #expect(admitted(&rate, at: .seconds(61)) == 0)
        #expect(admitted(&rate, at: .seconds(62)) == 25)
    }

    @Test("each calm minute gives back a twentieth, up to what is configured")
    func recovery() {
        var rate = RequestRate(requestsPerMinute: 6000, at: .zero)
        _ = rate.pause(for: .seconds(60), sentAt: .zero, at: .zero)
        let minutes = [1, 2, 3, 11, 12, 500]
        let rates = minutes.map { minute in
            _ = rate.advance(to: .seconds(minute * 60))
            return Int(rate.rate.rounded())
        }
        #expect(rates == [50, 55, 60, 100, 100, 100])
    }

    @Test("limits that follow each other do not stop it for ever")
    func floor() {
        var rate = RequestRate(requestsPerMinute: 6400, at: .zero)
        for number in 0..<50 {
            _ = rate.pause(for: .seconds(1), sentAt: .seconds(number * 10 + 1), at: .seconds(number * 10 + 2))
        }
        #expect((rate.rate * 60).rounded() == 100)
    }
}
