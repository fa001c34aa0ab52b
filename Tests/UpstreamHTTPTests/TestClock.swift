import Locking
import MirrorCore

/// A clock that stands until a test turns it; sleepers wake when it has passed their time.
final class TestClock: Sendable {
    private struct Sleeper {
        var until: Duration
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var now = Duration.zero
        var sleepers: [UInt64: Sleeper] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Locked(State())

    var now: Duration { state.withLock { $0.now } }

    var timekeeper: Timekeeper {
        Timekeeper(
            wall: { WallTime(milliseconds: 1_700_000_000_000 + self.now.wholeMilliseconds) },
            monotonic: { self.now },
            sleep: { await self.sleep($0) }
        )
    }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now += duration
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for id in due.keys { state.sleepers[id] = nil }
            return Array(due.values)
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Waits until somebody sleeps until that moment, and then turns the clock to it.
    func advance(toSleeperAt moment: Duration) async throws {
        while !state.withLock({ $0.sleepers.values.contains { $0.until == moment } }) {
            try await Task.sleep(for: .milliseconds(1))
        }
        advance(by: moment - now)
    }

    /// How many sleep.
    var sleeping: Int { state.withLock { $0.sleepers.count } }

    private func sleep(_ duration: Duration) async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard duration > .zero, !Task.isCancelled else { return true }
                    state.sleepers[id] = Sleeper(until: state.now + duration, continuation: continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.continuation.resume()
        }
    }
}
