/// What the account gives out.
extension QuotaAccountState {
    /// What the log is told.
    enum Notice: Hashable {
        case exhausted(until: WallTime)
        case isBack
        case sourceChanged
    }

    /// What can be spent now: what remains, without the reads that the upstream has not counted yet.
    var available: Int? { record.remaining.map { max(0, $0 - record.unreflected) } }

    /// When quota is back: what the upstream told, else when the window ends.
    ///
    /// Never in the past, and never further away than a window.
    func resetsAt(from now: WallTime) -> WallTime? {
        if let until = record.exhaustedUntil { return until }
        guard let window = record.window, let beganAt = record.windowBeganAt else { return nil }
        return max(now, min(beganAt, now) + window)
    }

    /// How scarce it is: not at all above twice the reserve and a fifth of the limit, then ever more down to the reserve.
    func pressure(keeping reserve: Int) -> QuotaPressure {
        if let until = record.exhaustedUntil { return .exhausted(until: until) }
        guard let available else { return .none }
        let reserve = Double(reserve)
        let plenty = max(2 * reserve, Double(record.limit ?? 0) / 5)
        let left = Double(available)
        guard left <= plenty else { return .none }
        return .scarce(left <= reserve ? 1 : (plenty - left) / (plenty - reserve))
    }

    /// What others have spent of the same quota in this window: used up, and not by us.
    var spentElsewhere: Int {
        guard let limit = record.limit, let remaining = record.remaining else { return 0 }
        let spentHere = record.spentInWindow.values.reduce(0, +) - record.unreflected
        return max(0, limit - remaining - max(0, spentHere))
    }

    func status(of account: QuotaAccount, at now: WallTime) -> QuotaStatus {
        var status = QuotaStatus(
            account: account,
            spent: record.limit == nil ? record.spentEver : record.spentInWindow
        )
        status.limit = record.limit
        status.remaining = available
        status.window = record.limit == nil ? nil : record.window
        status.resetsAt = record.limit == nil ? record.exhaustedUntil : resetsAt(from: now)
        status.source = record.source
        status.spentEver = record.spentEver
        status.spentElsewhere = spentElsewhere
        status.isExhausted = record.exhaustedUntil != nil
        status.isExpected = record.remaining != nil && record.observedAt == nil
        status.observedAt = record.observedAt
        return status
    }

    /// The record, if it has changed since it was last taken.
    ///
    /// An answer that only confirms what is known is worth no write, but once a minute.
    mutating func takeRecord() -> QuotaRecord? {
        var candidate = record
        if let observedAt = record.observedAt, let keptAt = kept.observedAt,
            let age = keptAt.age(at: observedAt), age < .seconds(60)
        {
            candidate.observedAt = keptAt
        }
        guard candidate != kept else { return nil }
        record.revision += 1
        kept = record
        return record
    }

    /// What has happened since they were last taken.
    mutating func takeNotices() -> [Notice] {
        var notices: [Notice] = []
        if let source = record.source, source != noticedSource {
            if noticedSource != nil { notices.append(.sourceChanged) }
            noticedSource = source
        }
        if let until = record.exhaustedUntil {
            if !isExhaustionNoticed { notices.append(.exhausted(until: until)) }
            isExhaustionNoticed = true
        } else if isExhaustionNoticed, record.remaining != 0 {
            notices.append(.isBack)
            isExhaustionNoticed = false
        }
        return notices
    }
}
