import Locking

/// A value that comes once, and those who wait for it.
///
///     pending ──fulfil──▶ fulfilled
///
/// 1. Every waiter is resumed exactly once: by the value, by its deadline, or by its task's cancellation.
/// 2. A continuation is resumed outside the lock.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case pending(waiting: [Int: CheckedContinuation<Value?, Never>], expired: Set<Int>, nextID: Int)
        case fulfilled(Value)
    }

    private let state = Locked<State>(.pending(waiting: [:], expired: [], nextID: 0))

    init() {}

    /// Gives the value to all who wait, and to all who come later.
    ///
    /// Only the first call counts.
    func fulfil(_ value: Value) {
        let waiting: [CheckedContinuation<Value?, Never>] = state.withLock { state in
            guard case .pending(let waiting, _, _) = state else { return [] }
            state = .fulfilled(value)
            return Array(waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }

    /// The value, if it has come.
    var current: Value? {
        state.withLock { state in
            guard case .fulfilled(let value) = state else { return nil }
            return value
        }
    }

    /// Waits for the value until the deadline; `nil` when that comes first, or the task is cancelled.
    func value(until deadline: Deadline) async -> Value? {
        if let current { return current }
        let id = register()
        let timer = Task {
            await deadline.time.sleep(deadline.remaining)
            expire(id)
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { wait(id, $0) }
        } onCancel: {
            expire(id)
        }
    }

    private func register() -> Int {
        state.withLock { state in
            guard case .pending(let waiting, let expired, let nextID) = state else { return 0 }
            state = .pending(waiting: waiting, expired: expired, nextID: nextID + 1)
            return nextID
        }
    }

    private func wait(_ id: Int, _ continuation: CheckedContinuation<Value?, Never>) {
        let result: Value?? = state.withLock { state in
            switch state {
            case .fulfilled(let value): return .some(value)
            case .pending(var waiting, var expired, let nextID):
                // The deadline or the cancellation may have come before the continuation existed.
                let isExpired = expired.remove(id) != nil
                if !isExpired { waiting[id] = continuation }
                state = .pending(waiting: waiting, expired: expired, nextID: nextID)
                return isExpired ? .some(nil) : .none
            }
        }
        if let result { continuation.resume(returning: result) }
    }

    private func expire(_ id: Int) {
        let continuation: CheckedContinuation<Value?, Never>? = state.withLock { state in
            guard case .pending(var waiting, var expired, let nextID) = state else { return nil }
            let continuation = waiting.removeValue(forKey: id)
            if continuation == nil { expired.insert(id) }
            state = .pending(waiting: waiting, expired: expired, nextID: nextID)
            return continuation
        }
        continuation?.resume(returning: nil)
    }
}
