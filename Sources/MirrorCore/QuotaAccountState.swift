/// What is known of one account's quota.
///
///              nothing left, or refused
///     open ──────────────────────────────▶ exhausted
///       ▲   a later answer, or the time         │
///       └───────────────────────────────────────┘
///
/// It is pure: time and the order of observations are handed in. ``LocalLedger`` holds it behind a lock, and acts on what it
/// gives out (``takeRecord()``, ``takeNotices()``) after the lock is released. The numbered rules are cited by the tests.
///
/// 1. An answer to a request that was sent after the last believed answer had come is believed. One that was overtaken
///    can only lower what remains, within the same window.
/// 2. What we spent since the window began starts anew when the window does: when less is used up than before (by more than
///    ``fluctuation(of:)``), when the window's time has passed, or when another bucket is charged.
/// 3. A read counts as spent from the moment it is granted. Only ``settle(_:isSpent:)`` takes that back, so after a crash
///    the account says at most too much, by what was under way.
/// 4. A time from the future counts as expired (DESIGN rule 26).
struct QuotaAccountState {
    /// A claim that has been granted and not settled.
    private struct Pending {
        var purpose: Purpose
        var grantedAt: QuotaMark
    }

    /// When to look again if nothing tells when quota is back.
    static let unknownReset = Duration.seconds(60)
    /// The longest time that is believed where no window is known.
    static let longestUnknownWindow = Duration.seconds(86_400)
    /// Clocks are set by this much in ordinary operation, and calls with times that were read before may overtake others.
    static let clockTolerance = Duration.seconds(5)

    var record: QuotaRecord
    private var underWay: [UInt64: Pending] = [:]
    /// Claims settled as spent that no answer contains yet, and when the newest of them was granted.
    private var settled = (count: 0, newest: QuotaMark(count: 0))
    /// The newest request whose answer told what remains.
    private var reflected: QuotaMark?
    /// The number of the last observation that was believed.
    var believed = QuotaMark(count: 0)
    /// The number of the observation that told of the present window.
    var windowSeen = QuotaMark(count: 0)

    // What has been given out already.
    var kept: QuotaRecord
    var isExhaustionNoticed: Bool
    var noticedSource: String?

    /// Begins with what was kept; reads that were under way then were spent, by rule 3.
    init(_ record: QuotaRecord = QuotaRecord()) {
        self.record = record
        kept = record
        settled.count = record.unreflected
        isExhaustionNoticed = record.exhaustedUntil != nil
        noticedSource = record.source
    }

    // MARK: - Time

    /// Brings it up to the present: ends windows and exhaustion whose time has passed.
    mutating func advance(to now: WallTime) {
        if isWindowOver(at: now) {
            beginWindow()
            record.remaining = record.limit
            record.observedAt = nil
        }
        if let until = record.exhaustedUntil, until <= now { record.exhaustedUntil = nil }
    }

    /// Whether ``advance(to:)`` would change something.
    func isDue(at now: WallTime) -> Bool {
        record.exhaustedUntil.map { $0 <= now } ?? false || isWindowOver(at: now)
    }

    private func isWindowOver(at now: WallTime) -> Bool {
        let latest = now + Self.clockTolerance
        if let observedAt = record.observedAt, observedAt > latest { return true }
        if let beganAt = record.windowBeganAt, beganAt > latest { return true }
        let isTold = record.exhaustedUntil != nil
        if let until = record.exhaustedUntil, until > now {
            return until > latest + (record.window ?? Self.longestUnknownWindow)
        }
        return record.window == nil ? isTold : isWindowPast(at: now)
    }

    func isWindowPast(at now: WallTime) -> Bool {
        guard let window = record.window, let beganAt = record.windowBeganAt else { return false }
        return beganAt + window <= now
    }

    /// Counts anew: only what is under way can be of the window that begins.
    mutating func beginWindow() {
        record.spentInWindow = underWay.values.reduce(into: [:]) { $0[$1.purpose, default: 0] += 1 }
        record.windowBeganAt = nil
        record.exhaustedUntil = nil
        settled.count = 0
        countUnreflected()
    }

    // MARK: - Claims

    /// Grants one read and charges it, or tells why background work has to wait.
    mutating func claim(
        _ id: UInt64,
        for purpose: Purpose,
        keeping reserve: Int,
        since mark: QuotaMark,
        at now: WallTime
    ) -> UpstreamError? {
        advance(to: now)
        if purpose.isBackground, !allowsBackground(keeping: reserve) {
            return .reserved(retryAfter: resetsAt(from: now).map { .milliseconds($0.milliseconds - now.milliseconds) })
        }
        underWay[id] = Pending(purpose: purpose, grantedAt: mark)
        record.spentInWindow[purpose, default: 0] += 1
        record.spentEver[purpose, default: 0] += 1
        if record.windowBeganAt == nil { record.windowBeganAt = now }
        countUnreflected()
        return nil
    }

    /// Ends a claim; returns whether it was under way.
    mutating func settle(_ id: UInt64, isSpent: Bool) -> Bool {
        guard let pending = underWay.removeValue(forKey: id) else { return false }
        countUnreflected()
        if !isSpent {
            record.spentInWindow[pending.purpose, default: 1] -= 1
            record.spentEver[pending.purpose, default: 1] -= 1
            noteUntouched()
        } else if reflected.map({ $0 < pending.grantedAt }) ?? true {
            settled = (settled.count + 1, max(settled.newest, pending.grantedAt))
            countUnreflected()
        }
        return true
    }

    /// An answer told what remains: to a request that was sent at `mark`, so claims granted before are in it.
    mutating func reflect(_ mark: QuotaMark) {
        reflected = reflected.map { max($0, mark) } ?? mark
        if settled.newest <= mark { settled.count = 0 }
        countUnreflected()
    }

    /// A window begins with the first read in it.
    mutating func noteUntouched() {
        if record.remaining == record.limit, record.unreflected == 0 { record.windowBeganAt = nil }
    }

    private mutating func countUnreflected() {
        record.unreflected = settled.count + underWay.count
    }

    private func allowsBackground(keeping reserve: Int) -> Bool {
        guard record.exhaustedUntil == nil else { return false }
        return available.map { $0 - 1 >= reserve } ?? true
    }
}
