/// The clocks that policy reads, so that tests can turn them.
package struct Timekeeper: Sendable {
    /// The time of day: only for what is stored.
    package var wall: @Sendable () -> WallTime
    /// Time since some fixed point, which never goes back: for every interval inside the process.
    package var monotonic: @Sendable () -> Duration
    /// Returns after the duration, or early when the task is cancelled.
    package var sleep: @Sendable (Duration) async -> Void

    package init(
        wall: @escaping @Sendable () -> WallTime,
        monotonic: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async -> Void
    ) {
        self.wall = wall
        self.monotonic = monotonic
        self.sleep = sleep
    }

    /// The machine's clocks.
    package static func system() -> Self {
        let clock = ContinuousClock()
        let start = clock.now
        return Self(
            wall: { .now() },
            monotonic: { clock.now - start },
            sleep: { duration in try? await clock.sleep(for: duration) }
        )
    }

    /// The moment `duration` from now, to be waited for in parts.
    func deadline(in duration: Duration) -> Deadline {
        Deadline(at: monotonic() + duration, time: self)
    }
}

/// A moment by which an answer must have left.
struct Deadline: Sendable {
    let at: Duration
    let time: Timekeeper

    /// This moment, or the one `duration` from now if that comes first.
    func orSooner(_ duration: Duration) -> Deadline {
        Deadline(at: min(at, time.monotonic() + duration), time: time)
    }

    /// What is left of it; never negative.
    var remaining: Duration { max(.zero, at - time.monotonic()) }
}
