import FoundationEssentials
import Glibc

/// The forms in which registries have said when to come back.
package enum RetryAfter: String, CaseIterable, Sendable {
    case seconds
    /// Seconds since 1970.
    case unixTime
    case httpDate

    /// The value of the header for a wait from now on.
    ///
    /// The last two name a whole second: the wait that they mean is up to a second shorter.
    package func value(in seconds: Int) -> String {
        let time = Date(timeIntervalSinceNow: Double(seconds))
        return switch self {
        case .seconds: "\(seconds)"
        case .unixTime: "\(Int(time.timeIntervalSince1970))"
        case .httpDate: Self.httpDate(Int(time.timeIntervalSince1970))
        }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func httpDate(_ time: Int) -> String {
        var (time, parts) = (time, tm())
        gmtime_r(&time, &parts)
        return String(unsafeUninitializedCapacity: 64) { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress, $0.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            }
        }
    }
}
