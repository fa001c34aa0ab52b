import Locking

/// The passages under way.
final class Passages: Sendable {
    private struct State {
        var tasks: [ObjectIdentifier: Task<Void, Never>] = [:]
        var isOpen = true
    }

    private let state = Locked(State())

    func depart(_ passage: Passage) {
        let hasDeparted = state.withLock { state in
            guard state.isOpen else { return false }
            state.tasks[ObjectIdentifier(passage)] = Task {
                await passage.run()
                remove(passage)
            }
            return true
        }
        if !hasDeparted { passage.fail(.shuttingDown) }
    }

    /// The client has left, or has all: the transfer ends.
    func leave(_ passage: Passage) {
        state.withLock { $0.tasks[ObjectIdentifier(passage)] }?.cancel()
    }

    /// Whether nothing is passed through.
    var isIdle: Bool { state.withLock { $0.tasks.isEmpty } }

    /// Ends all, and returns when they have ended: clients are cut.
    func cancelAll() async {
        let tasks = state.withLock { state in
            state.isOpen = false
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func remove(_ passage: Passage) {
        state.withLock { _ = $0.tasks.removeValue(forKey: ObjectIdentifier(passage)) }
    }
}
