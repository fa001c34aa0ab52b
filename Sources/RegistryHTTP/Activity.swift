import NIOCore
import Synchronization

/// The requests of the registry API that are under way, over all connections.
///
/// Draining waits until there are none. Probes and metrics do not count: a kubelet that asks each second would hold up the
/// end for as long as it may last.
final class Activity: Sendable {
    private let underWay = Atomic<Int>(0)
    /// In nanoseconds, as `NIODeadline` counts them.
    private let lastEnd = Atomic<UInt64>(0)

    func began() {
        underWay.wrappingAdd(1, ordering: .relaxed)
    }

    /// A response has been taken whole by the client's socket, or was cut.
    func ended() {
        passed(at: .now())
        // Whoever sees it gone sees when it ended.
        underWay.wrappingSubtract(1, ordering: .releasing)
    }

    /// A request was answered within one turn of an event loop.
    func passed(at now: NIODeadline) {
        lastEnd.store(now.uptimeNanoseconds, ordering: .relaxed)
    }

    /// Whether nothing was under way from `grace` before `now`, or from `start` if that was later, until now.
    func isQuiet(for grace: TimeAmount, since start: NIODeadline, at now: NIODeadline) -> Bool {
        guard underWay.load(ordering: .acquiring) == 0 else { return false }
        let lastEnd = NIODeadline.uptimeNanoseconds(lastEnd.load(ordering: .relaxed))
        return now - max(lastEnd, start) >= grace
    }
}
