package import FoundationEssentials

/// One line of the quota table, in words: the status page and `tidepool quota` have the same.
package struct QuotaRow: Hashable, Sendable {
    package var upstream: String
    package var account: String
    /// Such as `87 of 100`.
    package var left: String
    /// Such as `1h`.
    package var window: String
    /// Such as `in 42 min (14:05)`.
    package var back: String
    /// Such as `13 pull, 0 prewarm, 0 refresh`.
    package var spent: String
    /// The same without what is 0.
    package var spentInShort: String
    package var source: String

    /// Puts an entry into words; clock times are those of `timeZone`.
    package init(_ entry: QuotaReport.Entry, now: Date, timeZone: TimeZone) {
        upstream = Self.printable(entry.upstream)
        account = entry.account.map(Self.printable) ?? "-"
        left = Self.left(entry)
        window = entry.windowSeconds.map(Self.duration) ?? "-"
        back = entry.resetsAt.map { Self.back($0, now: now, timeZone: timeZone) } ?? "-"
        let spending = [
            (entry.spent.pull, "pull"), (entry.spent.prewarm, "prewarm"), (entry.spent.refresh, "refresh"),
        ]
        spent = spending.map { "\($0) \($1)" }.joined(separator: ", ")
        let short = spending.filter { $0.0 > 0 }.map { "\($0) \($1)" }.joined(separator: ", ")
        spentInShort = short.isEmpty ? "-" : short
        source = entry.source.map(Self.printable) ?? "-"
    }

    private static func left(_ entry: QuotaReport.Entry) -> String {
        switch entry.state {
        case .unlimited: return "unlimited"
        case .unknown: return "unknown (\(entry.error.map { $0.replacing("_", with: " ") } ?? "not asked yet"))"
        case .limited, .exhausted:
            let remaining = entry.remaining.map { "\($0)" } ?? "?"
            return entry.limit.map { "\(remaining) of \($0)" } ?? remaining
        }
    }

    /// In the largest unit that gives a whole number.
    private static func duration(seconds: Int) -> String {
        let units = [(86400, "d"), (3600, "h"), (60, "m")]
        guard seconds > 0, let (size, name) = units.first(where: { seconds.isMultiple(of: $0.0) }) else {
            return "\(seconds)s"
        }
        return "\(seconds / size)\(name)"
    }

    private static func back(_ time: Date, now: Date, timeZone: TimeZone) -> String {
        let seconds = Int(time.timeIntervalSince(now).rounded(.up))
        let clock = clock(time, timeZone)
        switch seconds {
        case ...0: return "now"
        case ..<120: return "in \(seconds) s (\(clock.time))"
        case ..<7200: return "in \(rounded(seconds, 60)) min (\(clock.time))"
        // Beyond a day the time of day alone would mislead.
        case ..<86400: return "in \(rounded(seconds, 3600)) h (\(clock.time))"
        default: return "in \(rounded(seconds, 86400)) d (\(clock.date))"
        }
    }

    private static func rounded(_ seconds: Int, _ unit: Int) -> Int { (seconds + unit / 2) / unit }

    private static func clock(_ time: Date, _ timeZone: TimeZone) -> (time: String, date: String) {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute], from: time)
        return (
            "\(twoDigits(parts.hour)):\(twoDigits(parts.minute))",
            "\(parts.year ?? 0)-\(twoDigits(parts.month))-\(twoDigits(parts.day))"
        )
    }

    private static func twoDigits(_ number: Int?) -> String {
        let number = number ?? 0
        return number < 10 ? "0\(number)" : "\(number)"
    }

    /// Text from outside, fit for a terminal: no control characters, and not endless.
    private static func printable(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(80).map { $0.properties.generalCategory == .control ? "?" : $0 }
        return String(String.UnicodeScalarView(scalars))
    }
}
