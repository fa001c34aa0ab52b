import Locking
import NIOCore

/// The requests of the registry API that are under way, over all connections.
///
/// Draining waits until there are none. Probes and metrics do not count: a kubelet that asks each second would hold up the
/// end for as long as it may last.
final class Activity: Sendable {
    private struct State {
        var underWay = 0
        var lastEnd = NIODeadline.distantPast
    }

    private let state = Locked(State())

    func began() {
        state.withLock { $0.underWay += 1 }
    }

    /// A response has been taken whole by the client's socket, or was cut.
    func ended() {
        let now = NIODeadline.now()
        state.withLock { state in
            state.underWay -= 1
            state.lastEnd = now
        }
    }

    /// Whether nothing was under way from `grace` before `now`, or from `start` if that was later, until now.
    func isQuiet(for grace: TimeAmount, since start: NIODeadline, at now: NIODeadline) -> Bool {
        state.withLock { $0.underWay == 0 && now - max($0.lastEnd, start) >= grace }
    }
}
