import Locking
import MirrorCore

/// A number of places for requests, given out first come, first served.
///
///     waiting ──granted──▶ holding ──▶ free
///        └── expired, cancelled ──▶ gone
///
/// (1) A waiter is resumed exactly once. (2) A place that is given back goes to the first in the queue before anyone new.
final class Window: Sendable {
    private typealias Outcome = Result<Void, UpstreamError>

    private struct Waiter {
        var id: UInt64
        var continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        var free: Int
        var queue: [Waiter] = []
        var nextID: UInt64 = 0
    }

    /// The most that wait: beyond it a wait would only end in giving up.
    static let queueLimit = 1024

    private let state: Locked<State>
    private let patience: Duration

    /// Makes a window whose waiters give up after `patience`.
    init(places: Int, patience: Duration) {
        state = Locked(State(free: max(1, places)))
        self.patience = patience
    }

    /// Runs `body` when a place is free.
    ///
    /// Throws `.unavailable(.queue)` when none became free in time or too many wait already, and `.cancelled` when the task was.
    func withPlace<Value>(
        for errand: Errand,
        _ body: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        try await enter()
        defer { leave() }
        return try await body()
    }

    /// How many places are free.
    var free: Int { state.withLock { $0.free } }

    /// How many wait for one.
    var waiting: Int { state.withLock { $0.queue.count } }

    private func enter() async throws(UpstreamError) {
        let id = state.withLock { state -> UInt64? in
            guard state.free == 0 else {
                state.free -= 1
                return nil
            }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return }
        let expiry = Task { [patience, weak self] in
            try await Task.sleep(for: patience)
            self?.remove(id, because: .unavailable(.queue))
        }
        defer { expiry.cancel() }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { wait(Waiter(id: id, continuation: $0)) }
        } onCancel: {
            remove(id, because: .cancelled)
        }
        try outcome.get()
    }

    private func wait(_ waiter: Waiter) {
        let outcome = state.withLock { state -> Outcome? in
            // Under the lock: a cancel sets the flag before it calls the handler, so it is seen here or finds the waiter.
            if Task.isCancelled { return .failure(.cancelled) }
            if state.free > 0 {
                state.free -= 1
                return .success(())
            }
            guard state.queue.count < Self.queueLimit else { return .failure(.unavailable(.queue)) }
            state.queue.append(waiter)
            return nil
        }
        if let outcome { waiter.continuation.resume(returning: outcome) }
    }

    private func remove(_ id: UInt64, because error: UpstreamError) {
        let waiter = state.withLock { state -> Waiter? in
            state.queue.firstIndex { $0.id == id }.map { state.queue.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: .failure(error))
    }

    private func leave() {
        let next = state.withLock { state -> Waiter? in
            guard state.queue.isEmpty else { return state.queue.removeFirst() }
            state.free += 1
            return nil
        }
        next?.continuation.resume(returning: .success(()))
    }
}
