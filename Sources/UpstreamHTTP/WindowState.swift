import MirrorCore

/// How many requests of one kind may be under way: more while all goes well, half after a limit, none while it is closed.
///
///     open ──limit──▶ closed ──its time, or an early opening──▶ open, at half the size
///
/// (1) The size is at least 1 and never above the ceiling. (2) One refusal by the registry halves it once, however many
/// requests were under way and refused with it. (3) A wait that the registry stated is kept in full.
struct WindowState: AdmissionRule {
    /// Leave to send one request.
    struct Place: Hashable, Sendable {
        /// What happens to requests that were let in before a limit is part of that limit.
        let grantedAt: Duration
    }

    /// It has opened.
    struct Notice: Hashable, Sendable {
        var size: Int
    }

    private struct Closure {
        var since: Duration
        var until: Duration
        /// The registry said for how long; it is not our guess.
        var isStated: Bool
    }

    /// The wait after a refusal that says nothing of time; it doubles up to the longest until one succeeds.
    static let firstWait = Duration.seconds(30)
    static let longestWait = Duration.seconds(600)

    let ceiling: Int
    private(set) var size: Int
    private(set) var held = 0
    /// Successes since the size last changed.
    private var successes = 0
    private var lastLimitedAt: Duration?
    private var closure: Closure?
    private var nextWait = Self.firstWait
    /// An early opening that was followed by the next refusal is not repeated.
    private var mayOpenEarly = true

    init(ceiling: Int) {
        self.ceiling = max(1, ceiling)
        size = self.ceiling
    }

    var closedUntil: Duration? { closure?.until }
    var free: Int { closure == nil ? max(0, size - held) : 0 }

    func refusal(at now: Duration) -> UpstreamError {
        .pullLimited(retryAfter: closure.map { $0.until - now })
    }

    mutating func advance(to now: Duration) -> Notice? {
        guard let closure, closure.until <= now else { return nil }
        self.closure = nil
        return Notice(size: size)
    }

    mutating func admit(at now: Duration) -> Place? {
        guard closure == nil, held < size else { return nil }
        held += 1
        return Place(grantedAt: now)
    }

    func nextAdmission(at now: Duration) -> Duration? { closedUntil }

    mutating func leave() {
        held -= 1
    }

    /// A request was answered without a limit.
    mutating func succeed(_ place: Place) {
        guard isNews(place) else { return }
        nextWait = Self.firstWait
        mayOpenEarly = true
        successes += 1
        guard successes >= size, size < ceiling else { return }
        successes = 0
        size += 1
    }

    /// The registry limits something that this window has a part in: fewer at a time.
    mutating func slowDown(_ place: Place, at now: Duration) {
        guard isNews(place) else { return }
        lastLimitedAt = now
        successes = 0
        size = max(1, size / 2)
    }

    /// A request was refused by a limit on its kind: closes for `wait`, or for as long as experience says.
    ///
    /// Returns how long it is closed from now, and whether it was open before.
    mutating func close(
        for wait: Duration?,
        isStated: Bool,
        because place: Place,
        at now: Duration
    ) -> (rest: Duration, wasOpen: Bool) {
        let isNews = isNews(place)
        slowDown(place, at: now)
        let wasOpen = closure == nil
        var length = wait ?? .zero
        if wait == nil, isNews {
            length = nextWait
            nextWait = min(nextWait * 2, Self.longestWait)
        }
        var closure = closure ?? Closure(since: now, until: now, isStated: false)
        closure.until = max(closure.until, now + length)
        closure.isStated = closure.isStated || isStated
        // A late refusal of before, without a time, tells nothing new.
        if closure.until > now { self.closure = closure }
        return (closure.until - now, wasOpen && closure.until > now)
    }

    /// The registry has said, to a question asked at `moment`, that there is quota: where the closing was our own guess,
    /// it ends.
    mutating func openEarly(askedAt moment: Duration) -> Notice? {
        guard let closure, !closure.isStated, moment > closure.since, mayOpenEarly else { return nil }
        self.closure = nil
        mayOpenEarly = false
        return Notice(size: size)
    }

    /// Whether the place was given after the last limit: what was under way then is part of it.
    private func isNews(_ place: Place) -> Bool {
        lastLimitedAt.map { place.grantedAt > $0 } ?? true
    }
}
