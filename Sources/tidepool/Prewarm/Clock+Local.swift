import Foundation
import MirrorCore

extension Clock {
    /// `14:05`, or with the day when that is another: the local time.
    static func time(of moment: WallTime, now: WallTime = .now(), in zone: TimeZone = .current) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let date = Date(timeIntervalSince1970: Double(moment.milliseconds) / 1000)
        let today = Date(timeIntervalSince1970: Double(now.milliseconds) / 1000)
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute], from: date)
        let two = { (number: Int?) in (number ?? 0) < 10 ? "0\(number ?? 0)" : "\(number ?? 0)" }
        let time = "\(two(parts.hour)):\(two(parts.minute))"
        guard !calendar.isDate(date, inSameDayAs: today) else { return time }
        return "\(parts.year ?? 0)-\(two(parts.month))-\(two(parts.day)) \(time)"
    }
}
