import Locking

/// A gate that the Hub waits at and the test opens.
///
/// Tests wait for events, not for time: a test learns by ``arrivals(_:)`` that a request is held, looks at what others
/// see meanwhile, and then opens the gate for good.
package final class Barrier: Sendable {
    private struct State {
        var isOpen = false
        var arrivals = 0
        var held: [@Sendable () -> Void] = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Locked(State())

    package init() {}

    /// Lets everybody through, now and later.
    package func open() {
        let held = state.withLock { state in
            state.isOpen = true
            return state.held.extract()
        }
        for resume in held { resume() }
    }

    /// Returns when `count` requests have arrived since the start.
    package func arrivals(_ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isReached = state.withLock { state in
                if state.arrivals < count { state.watchers.append((count, continuation)) }
                return state.arrivals >= count
            }
            if isReached { continuation.resume() }
        }
    }

    /// Calls `resume` when the gate is open: at once, or from ``open()``.
    func pass(_ resume: @escaping @Sendable () -> Void) {
        let (isOpen, watchers) = state.withLock { state in
            state.arrivals += 1
            if !state.isOpen { state.held.append(resume) }
            let arrivals = state.arrivals
            let reached = state.watchers.filter { $0.count <= arrivals }
            state.watchers.removeAll { $0.count <= arrivals }
            return (state.isOpen, reached)
        }
        for watcher in watchers { watcher.continuation.resume() }
        if isOpen { resume() }
    }
}

extension Array {
    /// Takes everything out.
    mutating func extract() -> [Element] {
        let all = self
        removeAll()
        return all
    }
}
