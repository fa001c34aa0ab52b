import Locking
import MirrorCore
import Testing

@Suite("Pace")
struct PaceTests {
    /// A clock that is set by hand, and writes down what was to be slept.
    private final class SetClock: Sendable {
        private struct State {
            var now = Duration.zero
            var sleeps: [Duration] = []
        }

        private let state = Locked(State())

        var sleeps: [Duration] { state.withLock { $0.sleeps } }

        func set(_ now: Duration) { state.withLock { $0.now = now } }

        var timekeeper: Timekeeper {
            Timekeeper(
                wall: { WallTime(milliseconds: 0) },
                monotonic: { self.state.withLock { $0.now } },
                sleep: { duration in self.state.withLock { $0.sleeps.append(duration) } }
            )
        }
    }

    @Test("reading goes at the rate, for all that share it, and a pause is not saved up")
    func rate() async {
        let clock = SetClock()
        let pace = Pace(bytesPerSecond: 1000, time: clock.timekeeper)
        await pace.spend(500)
        await pace.spend(500)
        clock.set(.seconds(1))
        await pace.spend(2000)
        clock.set(.seconds(100))
        await pace.spend(1000)
        await pace.spend(0)
        #expect(clock.sleeps == [.milliseconds(500), .seconds(1), .seconds(2), .seconds(1), .seconds(1)])
    }

    @Test("a rate of nothing is a byte a second, not a division by zero")
    func zero() async {
        let clock = SetClock()
        await Pace(bytesPerSecond: 0, time: clock.timekeeper).spend(3)
        #expect(clock.sleeps == [.seconds(3)])
    }
}
