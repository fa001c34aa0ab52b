import Locking
import MirrorCore

/// Runs one operation for all who want the same thing at the same time.
///
/// The operation belongs to no caller: one that is cancelled leaves at once, and the operation goes on for the rest. The
/// operation must end by itself (all ours have time limits).
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, UpstreamError>

    private enum Role {
        case first
        case follower
        case cancelled
    }

    private struct State {
        var waiters: [Key: [UInt64: CheckedContinuation<Outcome, Never>]] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Locked(State())

    /// The operation's outcome: of the one that runs for this key, or of a new one.
    func value(
        for key: Key,
        _ operation: @escaping @Sendable () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { join(key, id, $0, operation) }
        } onCancel: {
            leave(key, id)
        }
        return try outcome.get()
    }

    /// How many wait for the operation of that key.
    func waiting(for key: Key) -> Int { state.withLock { $0.waiters[key]?.count ?? 0 } }

    private func join(
        _ key: Key,
        _ id: UInt64,
        _ continuation: CheckedContinuation<Outcome, Never>,
        _ operation: @escaping @Sendable () async throws(UpstreamError) -> Value
    ) {
        let role = state.withLock { state -> Role in
            // Under the lock: a cancel sets the flag before it calls the handler, so it is seen here or finds the waiter.
            if Task.isCancelled { return .cancelled }
            let role: Role = state.waiters[key] == nil ? .first : .follower
            state.waiters[key, default: [:]][id] = continuation
            return role
        }
        switch role {
        case .cancelled: continuation.resume(returning: .failure(.cancelled))
        case .follower: break
        case .first:
            // Detached from the caller, whose cancellation must not end it; `finish` always comes.
            Task.detached {
                let outcome: Outcome
                do throws(UpstreamError) {
                    outcome = .success(try await operation())
                } catch {
                    outcome = .failure(error)
                }
                self.finish(key, outcome)
            }
        }
    }

    private func leave(_ key: Key, _ id: UInt64) {
        // The entry stays, empty perhaps: the operation still runs.
        let continuation = state.withLock { $0.waiters[key]?.removeValue(forKey: id) }
        continuation?.resume(returning: .failure(.cancelled))
    }

    private func finish(_ key: Key, _ outcome: Outcome) {
        let waiters = state.withLock { $0.waiters.removeValue(forKey: key) }
        for waiter in (waiters ?? [:]).values { waiter.resume(returning: outcome) }
    }
}
