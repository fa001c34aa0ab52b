import MirrorTesting

@testable import MirrorCore

/// One account's state, driven by hand: a clock, the order of observations, and answers with the headers of a registry.
struct QuotaPlay {
    static let start = WallTime(milliseconds: 1_700_000_000_000)

    var state: QuotaAccountState
    var now = start
    private var observations: UInt64 = 0
    private var claims: UInt64 = 0

    init(_ record: QuotaRecord = QuotaRecord()) {
        state = QuotaAccountState(record)
    }

    /// What was written last, in another process.
    func restarted(after duration: Duration = .zero) -> Self {
        var next = QuotaPlay(state.record)
        next.now = now + duration
        return next
    }

    var mark: QuotaMark { QuotaMark(count: observations) }
    var remaining: Int? { state.record.remaining }
    var spent: [Purpose: Int] { state.record.spentInWindow.filter { $0.value != 0 } }
    var secondsToReset: Int64? {
        state.resetsAt(from: now).map { ($0.milliseconds - now.milliseconds) / 1000 }
    }

    mutating func pass(seconds: Int64) {
        now = now + .seconds(seconds)
        state.advance(to: now)
    }

    /// An answer to a request that was sent at `mark`, or just now.
    mutating func answer(_ answer: QuotaObservation, since mark: QuotaMark? = nil) {
        let mark = mark ?? self.mark
        observations += 1
        state.observe(answer, since: mark, as: self.mark, at: now)
    }

    /// An answer with Docker Hub's headers: a window of an hour.
    mutating func answer(remaining: Int, of limit: Int = 20, since mark: QuotaMark? = nil) {
        answer(Self.headers(remaining: remaining, of: limit), since: mark)
    }

    static func headers(remaining: Int, of limit: Int = 20) -> QuotaObservation {
        QuotaObservation(limit: limit, window: .seconds(3600), remaining: remaining, isManifest: true)
    }

    /// Grants a read; `nil` when it was refused.
    mutating func claim(_ purpose: Purpose = .pull, keeping reserve: Int = 0) -> UInt64? {
        claims += 1
        let refusal = state.claim(claims, for: purpose, keeping: reserve, since: mark, at: now)
        return refusal == nil ? claims : nil
    }

    /// Ends a read; returns whether it was under way.
    @discardableResult
    mutating func settle(_ id: UInt64, isSpent: Bool = true) -> Bool {
        state.settle(id, isSpent: isSpent)
    }

    /// A whole read, whose answer tells what remains.
    mutating func read(_ purpose: Purpose = .pull, remaining: Int, of limit: Int = 20) {
        guard let id = claim(purpose) else { return }
        answer(remaining: remaining, of: limit)
        settle(id)
    }
}
