import Locking

/// Work in progress, by what it is for: whoever asks for the same thing meanwhile shares it.
///
/// The work belongs to the table and not to an asker: it goes on when they have all left or run out of time.
final class WorkTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// One piece of work.
    struct Work: Sendable {
        let promise: Promise<Value>
        /// Whether the caller started it, or came to it.
        let isJoined: Bool
        /// Whether its value was there already: it is only being written down.
        let isAnswered: Bool
        /// On whose behalf it was started.
        let startedFor: Purpose

        /// How a cache that went through this work came to its answer.
        var outcome: CacheOutcome { isAnswered ? .hit : isJoined ? .collapsed : .miss }

        /// Whether a refusal of background work is not meant for this caller, who pulls and only came to it.
        func excuses(_ caller: Caller) -> Bool {
            isJoined && startedFor.isBackground && !caller.purpose.isBackground
        }
    }

    private struct Entry {
        let promise: Promise<Value>
        let errand: Errand
        let startedFor: Purpose
        let task: Task<Void, Never>
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var isOpen = true
    }

    private let state = Locked(State())

    init() {}

    /// Joins the work for `key`, or starts it, on behalf of `caller`.
    ///
    /// `body` calls `deliver` when the askers may have their answer, and returns when it is done: until then later
    /// askers are given the same answer. What is delivered is to be in the index before the work ends, so that nobody
    /// falls between the two. Returns `nil` after ``cancelAll()``.
    func work(
        on key: Key,
        for caller: Caller,
        _ body: @escaping @Sendable (_ errand: Errand, _ deliver: @Sendable (Value) -> Void) async -> Void
    ) -> Work? {
        state.withLock { state in
            if let entry = state.entries[key] {
                entry.errand.join(caller)
                return Work(
                    promise: entry.promise,
                    isJoined: true,
                    isAnswered: entry.promise.current != nil,
                    startedFor: entry.startedFor
                )
            }
            guard state.isOpen else { return nil }
            let promise = Promise<Value>()
            let errand = Errand(for: caller)
            let task = Task { [self] in
                await body(errand) { promise.fulfil($0) }
                remove(key)
            }
            let purpose = caller.purpose
            state.entries[key] = Entry(promise: promise, errand: errand, startedFor: purpose, task: task)
            return Work(promise: promise, isJoined: false, isAnswered: false, startedFor: purpose)
        }
    }

    func isUnderWay(_ key: Key) -> Bool { state.withLock { $0.entries[key] != nil } }

    /// Returns when no work for that key is under way: then what came of it is written down.
    func end(of key: Key) async {
        await state.withLock { $0.entries[key]?.task }?.value
    }

    /// Whether nothing is under way.
    var isIdle: Bool { state.withLock { $0.entries.isEmpty } }

    /// Cancels what is under way, refuses what comes later, and returns when all has ended.
    func cancelAll() async {
        let tasks = state.withLock { state in
            state.isOpen = false
            return state.entries.values.map(\.task)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func remove(_ key: Key) {
        state.withLock { _ = $0.entries.removeValue(forKey: key) }
    }
}
