import FoundationEssentials

/// A stored time: milliseconds since 1970.
///
/// Only for what outlives the process. Intervals inside it are measured with a monotonic clock.
package struct WallTime: Hashable, Sendable, Comparable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// The time of day as the machine has it.
    package static func now() -> Self {
        Self(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    package static func + (time: Self, duration: Duration) -> Self {
        Self(milliseconds: time.milliseconds + duration.wholeMilliseconds)
    }

    /// How long ago this was, or `nil` if it lies in the future: such a time is not to be trusted.
    package func age(at now: Self) -> Duration? {
        now < self ? nil : .milliseconds(now.milliseconds - milliseconds)
    }
}

extension Duration {
    /// The duration in whole milliseconds, rounded towards zero.
    package var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
