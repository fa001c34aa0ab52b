import MirrorCore
import Posix

/// Times as they are written in headers, in the log, and for people.
enum HTTPTime {
    /// A stored time as HTTP writes it.
    static func text(of time: WallTime) -> String {
        text(second: time.milliseconds / 1000)
    }

    /// A time as people write it: `14:05 UTC`, with the date where it is not today's.
    static func minute(of time: WallTime, now: Int64 = WallClock.milliseconds) -> String {
        let words = text(of: time).split(separator: " ")
        let clock = "\(words[4].prefix(5)) UTC"
        let isToday = time.milliseconds / 86_400_000 == now / 86_400_000
        return isToday ? clock : "\(clock) on \(words[1]) \(words[2])"
    }

    /// The IMF-fixdate of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(second: Int64) -> String {
        let days = Int(second / 86400)
        let date = civil(daysSince1970: days)
        let day = "\(weekdays[days % 7]), \(padded(date.day)) \(months[date.month - 1]) \(date.year)"
        return "\(day) \(clock(second: second)) GMT"
    }

    /// The date and time of RFC 3339, in UTC and without what is below the second: `1994-11-06T08:49:37`.
    static func timestamp(second: Int64) -> String {
        let date = civil(daysSince1970: Int(second / 86400))
        return "\(date.year)-\(padded(date.month))-\(padded(date.day))T\(clock(second: second))"
    }

    private static func clock(second: Int64) -> String {
        let time = Int(second % 86400)
        return [time / 3600, time / 60 % 60, time % 60].map(padded).joined(separator: ":")
    }

    /// The Gregorian date, counted in eras of 400 years that begin on the first of March.
    private static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// From the first of January 1970, a Thursday.
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
