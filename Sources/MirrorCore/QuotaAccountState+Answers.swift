/// What answers tell.
extension QuotaAccountState {
    /// Takes in an answer to a request that was sent at `mark`, as the observation of this number.
    mutating func observe(_ answer: QuotaObservation, since mark: QuotaMark, as number: QuotaMark, at now: WallTime) {
        advance(to: now)
        let isOvertaken = mark < believed
        if answer.tellsQuota {
            if isOvertaken {
                lower(answer.bounded, since: mark, at: now)
            } else {
                believe(answer.bounded, since: mark, as: number, at: now)
            }
        } else if answer.isManifest, !isOvertaken, record.exhaustedUntil == nil {
            forgetLimits()
            // That there is no limit is an answer as well.
            record.observedAt = now
            record.source = answer.source ?? record.source
            reflect(mark)
            believed = number
        }
    }

    /// There is no limit, it seems: the account was upgraded.
    ///
    /// Or this repository is exempt: Docker Hub leaves the headers out for those that it sponsors. So the window and what was
    /// spent in it stay, for the next answer that has headers; and for the same reason, no such answer ends exhaustion.
    private mutating func forgetLimits() {
        record.limit = nil
        record.remaining = nil
    }

    /// An answer that is newer than all that is known.
    private mutating func believe(
        _ answer: QuotaObservation,
        since mark: QuotaMark,
        as number: QuotaMark,
        at now: WallTime
    ) {
        if isOtherBucket(answer) {
            forgetLimits()
            record.observedAt = nil
            beginWindow()
            windowSeen = number
        } else if isOtherWindow(answer) {
            beginWindow()
            windowSeen = number
        }
        believed = number
        let wasExpected = record.remaining != nil && record.observedAt == nil
        record.source = answer.source ?? record.source
        record.limit = answer.limit ?? record.limit
        record.window = answer.window ?? record.window
        // The window may have become known now, or shorter, and what was counted then is of earlier ones.
        if isWindowPast(at: now) { beginWindow() }
        take(answer, since: mark, at: now)
        dateWindow(by: answer, at: now)
        updateExhaustion(by: answer, at: now, isSurprising: wasExpected)
    }

    /// An answer that was overtaken: it cannot tell that there is more, but it can tell that there is less.
    private mutating func lower(_ answer: QuotaObservation, since mark: QuotaMark, at now: WallTime) {
        guard mark >= windowSeen, !isOtherBucket(answer) else { return }
        guard answer.isRefusal || answer.limit == nil || answer.limit == record.limit else { return }
        var answer = answer
        if let remaining = answer.remaining, let known = record.remaining {
            guard remaining <= known || answer.isRefusal else { return reflect(mark) }
            answer.remaining = min(remaining, known)
        }
        take(answer, since: mark, at: now)
        guard answer.isRefusal || record.remaining == 0 else { return }
        updateExhaustion(by: answer, at: now, isSurprising: false)
    }

    private mutating func take(_ answer: QuotaObservation, since mark: QuotaMark, at now: WallTime) {
        record.observedAt = now
        if answer.isRefusal {
            record.remaining = record.limit.map { _ in 0 }
        } else if let remaining = answer.remaining {
            record.remaining = remaining
        } else {
            return
        }
        reflect(mark)
    }

    /// Finds out when the window began.
    ///
    /// If nothing tells, it is now that it begins, which is never too early: what we predict is late rather than wrong.
    private mutating func dateWindow(by answer: QuotaObservation, at now: WallTime) {
        if let window = record.window, let resetsIn = answer.resetsIn, !answer.isRefusal {
            record.windowBeganAt = now + (min(resetsIn, window) - window)
        } else {
            record.windowBeganAt = record.windowBeganAt ?? now
            noteUntouched()
        }
    }

    /// `isSurprising`: the window's time had passed, so that quota was to be expected.
    private mutating func updateExhaustion(by answer: QuotaObservation, at now: WallTime, isSurprising: Bool) {
        guard answer.isRefusal || record.remaining == 0 else {
            if answer.remaining != nil { record.exhaustedUntil = nil }
            return
        }
        let longest = record.window ?? Self.longestUnknownWindow
        if let resetsIn = answer.resetsIn {
            record.exhaustedUntil = now + min(resetsIn, longest)
        } else if record.exhaustedUntil == nil {
            // Quota that did not come back in time is asked for again soon: the prediction may have been early by seconds.
            let isKnown = record.window != nil && !isSurprising
            let end = isKnown ? resetsAt(from: now) : nil
            record.exhaustedUntil = end ?? now + min(Self.unknownReset, longest)
        }
    }

    /// Whether another address or account is charged than before.
    private func isOtherBucket(_ answer: QuotaObservation) -> Bool {
        guard let source = answer.source, let known = record.source else { return false }
        return source != known
    }

    /// Whether less is used up than before, so that a window has begun in between.
    private func isOtherWindow(_ answer: QuotaObservation) -> Bool {
        guard !answer.isRefusal, let remaining = answer.remaining, remaining > 0, let known = record.remaining else {
            return false
        }
        guard let limit = answer.limit, let knownLimit = record.limit else { return remaining > known }
        // With another limit, what is used up is what can be compared.
        return (knownLimit - known) - (limit - remaining) > Self.fluctuation(of: limit)
    }

    /// Docker Hub's numbers are best effort, "with small variations": so much more may remain in the same window.
    static func fluctuation(of limit: Int) -> Int { limit / 50 }
}

extension QuotaObservation {
    /// Far more than any registry grants, and far from overflow.
    private static let largestCount = 1_000_000_000
    private static let longestWindow = Duration.seconds(366 * 86_400)

    /// Whether it says anything of a limit.
    ///
    /// A source alone does not: Docker Hub sends the address with its challenge, before it knows the account.
    var tellsQuota: Bool { limit != nil || remaining != nil || isRefusal }

    /// Whether it tells of an account that is counted, though it may have no limits.
    var tellsAccount: Bool { isManifest && source != nil }

    /// With numbers that can be calculated with.
    fileprivate var bounded: Self {
        var bounded = self
        bounded.limit = limit.map { max(0, min($0, Self.largestCount)) }
        bounded.remaining = remaining.map { max(0, min($0, bounded.limit ?? Self.largestCount)) }
        bounded.window = window.flatMap { $0 < .seconds(1) ? nil : min($0, Self.longestWindow) }
        bounded.resetsIn = resetsIn.map { max(.seconds(1), min($0, Self.longestWindow)) }
        return bounded
    }
}
