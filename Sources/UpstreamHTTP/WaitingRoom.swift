import Locking
import MirrorCore

/// Those who wait until a rule lets them in: fairly, each no longer than its deadline.
///
///     waiting ──admitted──▶ in
///        └── expired, refused, cancelled ──▶ gone
///
/// (1) A waiter is resumed exactly once, outside the lock. (2) Nobody is let in past those who wait. (3) Whoever could not
/// wait until a closed rule opens is refused at once. (4) One task sleeps until the rule changes by time, and none is left
/// when the room is gone.
final class WaitingRoom<Rule: AdmissionRule>: Sendable {
    private typealias Outcome = Result<Rule.Ticket, UpstreamError>
    private typealias Queue = FairQueue<Waiter>

    private struct Waiter {
        let deadline: Duration
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        var rule: Rule
        var queue = Queue()
        var nextID: UInt64 = 0
        var timer = Timer()
    }

    /// The task that sleeps until `at`; a wake with another number is an old one's.
    private struct Timer {
        var at: Duration?
        var number: UInt64 = 0
        var task: Task<Void, Never>?
    }

    /// What is to be done once the lock is free.
    private struct Consequences {
        var resumptions: [(waiter: Waiter, outcome: Outcome)] = []
        var notice: Rule.Notice?
        var timer: (at: Duration, number: UInt64)?
        var oldTimer: Task<Void, Never>?
    }

    /// The most that wait: beyond it a wait would only end in giving up.
    static var queueLimit: Int { 1024 }

    private let state: Locked<State>
    private let time: Timekeeper
    private let report: @Sendable (Rule.Notice) -> Void

    init(_ rule: Rule, time: Timekeeper, report: @escaping @Sendable (Rule.Notice) -> Void) {
        state = Locked(State(rule: rule))
        self.time = time
        self.report = report
    }

    deinit {
        state.withLock { $0.timer.task }?.cancel()
    }

    /// The rule as it is.
    var rule: Rule { state.withLock { $0.rule } }

    /// How many wait.
    var waiting: Int { state.withLock { $0.queue.count } }

    /// Waits to be let in.
    ///
    /// Throws `.unavailable(.queue)` when that did not happen by `deadline` or too many wait, the rule's refusal
    /// when it is closed for longer, and `.cancelled` when the task was.
    func enter(for errand: Errand, until deadline: Duration) async throws(UpstreamError) -> Rule.Ticket {
        if let ticket = enterAtOnce() { return ticket }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let expiry = Task { [weak self, time] in
            await time.sleep(deadline - time.monotonic())
            self?.remove(id, because: .unavailable(.queue))
        }
        defer { expiry.cancel() }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { wait(id, errand, Waiter(deadline: deadline, continuation: $0)) }
        } onCancel: {
            remove(id, because: .cancelled)
        }
        return try outcome.get()
    }

    /// Changes the rule, and lets in or refuses those who wait as it then says.
    @discardableResult
    func update<Result: Sendable>(_ body: (inout Rule, _ now: Duration) -> Result) -> Result {
        let (result, consequences) = state.withLock { state in
            let now = time.monotonic()
            let notice = state.rule.advance(to: now)
            let result = body(&state.rule, now)
            var consequences = Self.settle(&state, at: now)
            consequences.notice = notice ?? consequences.notice
            return (result, consequences)
        }
        carryOut(consequences)
        return result
    }

    private func enterAtOnce() -> Rule.Ticket? {
        let (ticket, notice) = state.withLock { state -> (Rule.Ticket?, Rule.Notice?) in
            guard state.queue.isEmpty, !Task.isCancelled else { return (nil, nil) }
            let now = time.monotonic()
            let notice = state.rule.advance(to: now)
            return (state.rule.admit(at: now), notice)
        }
        if let notice { report(notice) }
        return ticket
    }

    private func wait(_ id: UInt64, _ errand: Errand, _ waiter: Waiter) {
        let consequences = state.withLock { state in
            let now = time.monotonic()
            let failure: UpstreamError? =
                // Under the lock: a cancel sets the flag before it calls the handler, so it is seen here or finds the
                // waiter. It is the same with the deadline.
                if Task.isCancelled {
                    .cancelled
                } else if now >= waiter.deadline {
                    .unavailable(.queue)
                } else {
                    nil
                }
            if let failure { return Consequences(resumptions: [(waiter, .failure(failure))]) }
            var displaced: Waiter?
            if state.queue.count >= Self.queueLimit {
                displaced = state.queue.displace(for: errand)?.element
                guard displaced != nil else {
                    return Consequences(resumptions: [(waiter, .failure(.unavailable(.queue)))])
                }
            }
            state.queue.append(Queue.Entry(id: id, errand: errand, element: waiter))
            var consequences = Self.settle(&state, at: now)
            if let displaced { consequences.resumptions.append((displaced, .failure(.unavailable(.queue)))) }
            return consequences
        }
        carryOut(consequences)
    }

    private func remove(_ id: UInt64, because error: UpstreamError) {
        let entry = state.withLock { $0.queue.remove(id) }
        entry?.element.continuation.resume(returning: .failure(error))
    }
}

// MARK: - Time

extension WaitingRoom {
    /// Brings queue and timer in line with the rule.
    private static func settle(_ state: inout State, at now: Duration) -> Consequences {
        var consequences = Consequences(notice: state.rule.advance(to: now))
        if let opening = state.rule.closedUntil {
            let refusal = state.rule.refusal(at: now)
            for entry in state.queue.removeAll(where: { $0.element.deadline < opening }) {
                consequences.resumptions.append((entry.element, .failure(refusal)))
            }
        }
        while !state.queue.isEmpty, let ticket = state.rule.admit(at: now), let entry = state.queue.next() {
            consequences.resumptions.append((entry.element, .success(ticket)))
        }
        let change = state.rule.closedUntil ?? (state.queue.isEmpty ? nil : state.rule.nextAdmission(at: now))
        // A timer that rings too soon is set again then.
        if let change, state.timer.at.map({ change < $0 }) ?? true {
            consequences.oldTimer = state.timer.task
            state.timer = Timer(at: change, number: state.timer.number + 1)
            consequences.timer = (change, state.timer.number)
        }
        return consequences
    }

    private func carryOut(_ consequences: Consequences) {
        consequences.oldTimer?.cancel()
        if let notice = consequences.notice { report(notice) }
        for (waiter, outcome) in consequences.resumptions { waiter.continuation.resume(returning: outcome) }
        guard let (moment, number) = consequences.timer else { return }
        let task = Task { [weak self, time] in
            await time.sleep(moment - time.monotonic())
            self?.ring(number)
        }
        let isCurrent = state.withLock { state in
            guard state.timer.number == number else { return false }
            state.timer.task = task
            return true
        }
        if !isCurrent { task.cancel() }
    }

    private func ring(_ number: UInt64) {
        let consequences = state.withLock { state -> Consequences? in
            guard state.timer.number == number else { return nil }
            state.timer.at = nil
            return Self.settle(&state, at: time.monotonic())
        }
        if let consequences { carryOut(consequences) }
    }
}
