import MirrorCore

/// Whether a place that keeps failing is asked at all.
///
///               third failure in a row            its time
///     closed ─────────────────────────▶ open ──────────────▶ half-open ── probe answered ──▶ closed
///        ▲                               ▲                       │
///        └── an answer: from the start   └──── probe failed ─────┘
///
/// (1) While it is open nothing passes; half-open, one probe at a time. (2) An outcome counts only in the state in which its
/// request passed. So thirty requests that fail together open it once, and the late success of a request from before the
/// opening does not close it: a place that answers then answers the probe too, a second later at the soonest, while one
/// that answers some and drops most would be taken for well again and again. (3) Server errors about one subject alone hold
/// up that subject alone: requests about others pass, and the answer to one of them closes it.
struct CircuitState: Sendable {
    /// Leave to send one request.
    struct Pass: Hashable, Sendable {
        /// Which of the machine's states it was given in.
        fileprivate let era: Int
        fileprivate let subject: String?
        /// It passed although the circuit was not closed, since all failures were about something else.
        fileprivate var isAside = false
    }

    enum Verdict: Hashable, Sendable {
        /// It answered, whatever it said.
        case alive
        case failed
        /// It answered with a server error, perhaps only about that subject.
        case erred
        /// Nothing was learnt: the request was cancelled, say.
        case unknown
    }

    enum Change: Hashable, Sendable {
        case opened(for: Duration)
        case closed
    }

    private enum Phase: Hashable {
        case closed(failures: Int)
        case open(until: Duration)
        case halfOpen(isProbing: Bool)
    }

    /// What the failures since the last good answer were about.
    private enum Suspect: Hashable {
        case nobody
        case subject(String)
        case place
    }

    static let threshold = 3
    static let firstPause = Duration.seconds(1)
    static let longestPause = Duration.seconds(15)

    private var phase = Phase.closed(failures: 0)
    private var era = 0
    private var suspect = Suspect.nobody
    private var nextPause = Self.firstPause

    var isClosed: Bool { if case .closed = phase { true } else { false } }

    /// For how long nothing would pass; `nil` when something would.
    ///
    /// Behind a probe it is as long as a new request may hope to know by: a second.
    func rest(at now: Duration, about subject: String? = nil) -> Duration? {
        if passesAside(subject) { return nil }
        return switch phase {
        case .closed, .halfOpen(isProbing: false): nil
        case .open(let until): until > now ? until - now : nil
        case .halfOpen(isProbing: true): Self.firstPause
        }
    }

    private func passesAside(_ subject: String?) -> Bool {
        guard !isClosed, let subject, case .subject(let suspected) = suspect else { return false }
        return subject != suspected
    }

    /// Lets a request pass, unless ``rest(at:about:)`` says that none does.
    mutating func pass(at now: Duration, about subject: String? = nil) -> Pass? {
        if passesAside(subject) { return Pass(era: era, subject: subject, isAside: true) }
        guard rest(at: now) == nil else { return nil }
        if case .open = phase { era += 1 }
        if !isClosed { phase = .halfOpen(isProbing: true) }
        return Pass(era: era, subject: subject)
    }

    /// Takes the outcome of a request that passed; `jitter`, from 0 to 1, spreads the pauses of many mirrors.
    mutating func note(_ verdict: Verdict, of pass: Pass, at now: Duration, jitter: Double) -> Change? {
        guard pass.era == era else { return nil }
        noteSuspect(verdict, pass.subject)
        if pass.isAside { return verdict == .alive ? close() : nil }
        switch (phase, verdict) {
        case (.closed, .alive):
            phase = .closed(failures: 0)
            return nil
        case (.closed(let failures), .failed), (.closed(let failures), .erred):
            phase = .closed(failures: failures + 1)
            return failures + 1 < Self.threshold ? nil : open(at: now, jitter)
        case (.halfOpen(isProbing: true), .alive): return close()
        case (.halfOpen(isProbing: true), .failed), (.halfOpen(isProbing: true), .erred): return open(at: now, jitter)
        case (.halfOpen(isProbing: true), .unknown):
            // The next request is the probe; this one's outcome, should it still come, is not waited for.
            era += 1
            phase = .halfOpen(isProbing: false)
            return nil
        case (.closed, .unknown), (.open, _), (.halfOpen(isProbing: false), _): return nil
        }
    }

    private mutating func noteSuspect(_ verdict: Verdict, _ subject: String?) {
        switch (verdict, suspect) {
        case (.unknown, _): break
        case (.alive, _): suspect = .nobody
        case (.erred, .nobody): suspect = subject.map { .subject($0) } ?? .place
        case (.erred, .subject(let suspected)) where suspected == subject: break
        case (.erred, _), (.failed, _): suspect = .place
        }
    }

    private mutating func close() -> Change {
        era += 1
        phase = .closed(failures: 0)
        nextPause = Self.firstPause
        return .closed
    }

    private mutating func open(at now: Duration, _ jitter: Double) -> Change {
        let pause = nextPause * (1 - 0.25 * jitter)
        nextPause = min(nextPause * 2, Self.longestPause)
        era += 1
        phase = .open(until: now + pause)
        return .opened(for: pause)
    }
}
