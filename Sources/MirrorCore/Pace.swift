import Locking

/// A rate that reading in the background keeps to, together with all that shares it.
package final class Pace: Sendable {
    private let bytesPerSecond: Int
    private let time: Timekeeper
    /// When what has been read so far would have been read at this rate.
    private let due = Locked(Duration.zero)

    /// A rate of at least one byte a second.
    package init(bytesPerSecond: Int, time: Timekeeper) {
        self.bytesPerSecond = max(1, bytesPerSecond)
        self.time = time
    }

    /// Counts bytes that were read, and returns when reading may go on; early when the task is cancelled.
    ///
    /// Time that was not used is not saved up: there is no burst after a pause.
    package func spend(_ bytes: Int) async {
        let now = time.monotonic()
        let cost = Duration.seconds(Double(bytes) / Double(bytesPerSecond))
        let wait = due.withLock { due in
            due = max(due, now) + cost
            return due - now
        }
        await time.sleep(wait)
    }
}
