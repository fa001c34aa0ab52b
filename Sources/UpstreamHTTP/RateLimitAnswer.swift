import Curl
import FoundationEssentials
import MirrorCore
import OCI

/// A limit that a registry has set us.
struct RateLimit: Hashable, Sendable {
    enum Scope: Hashable, Sendable {
        /// Pulls: requests of the kind that was refused.
        case pull
        /// Requests of every kind.
        case abuse
    }

    var scope: Scope
    /// When to come back, where that can be told.
    var wait: Duration?
    /// The registry said so itself; else it is derived from the limit.
    var isStated: Bool

    /// The limit as an error, with what is left of the wait.
    func error(retryAfter rest: Duration?) -> UpstreamError {
        switch scope {
        case .pull: .pullLimited(retryAfter: rest)
        case .abuse: .abuseLimited(retryAfter: rest)
        }
    }

    var error: UpstreamError { error(retryAfter: wait) }
}

/// What a 429 says: which limit it is, and when to come back.
///
/// Docker Hub's pull limit comes as JSON with the code `TOOMANYREQUESTS`, and stops manifest reads only; its abuse limit
/// comes as plain text, and stops everything.
enum RateLimitAnswer {
    /// The longest wait that is believed where the answer names no window.
    static let longestWait = Duration.seconds(24 * 3600)
    /// The longest window that is believed, in seconds.
    private static let longestWindow = 366 * 24 * 3600

    /// Reads the answer to a request made at `now`, in seconds since 1970.
    static func limit(_ head: ResponseHead, body: [UInt8], now: Int) -> RateLimit {
        let window = window(head)
        let entries = (try? JSONDecoder().decode(Body.self, from: Data(body)))?.errors ?? []
        let stated =
            head["Retry-After"].flatMap { wait($0, now: now) }
            ?? head["X-Retry-After"].flatMap { wait($0, now: now) }
            ?? entries.lazy.compactMap { $0.message.flatMap(wait(inMessage:)) }.first
        let hint = stated ?? window.map { $0.length / max(1, $0.limit) }
        return RateLimit(
            scope: isPullLimit(head, body: body, entries) ? .pull : .abuse,
            wait: hint.map { min(max($0, .seconds(1)), window?.length ?? longestWait) },
            isStated: stated != nil
        )
    }

    private static func isPullLimit(_ head: ResponseHead, body: [UInt8], _ entries: [Body.Entry]) -> Bool {
        // The answer to a HEAD has no body to tell by.
        if body.isEmpty { return head["Content-Type"].map(MediaType.essence) == MediaType.json }
        return entries.contains { $0.code?.uppercased() == ErrorCode.tooManyRequests.rawValue }
    }

    private struct Body: Decodable {
        struct Entry: Decodable {
            var code: String?
            var message: String?
        }
        var errors: [Entry]?
    }
}

// MARK: - Headers

extension RateLimitAnswer {
    /// How many, in how long: `100;w=3600`.
    struct Window: Hashable, Sendable {
        var limit: Int
        var length: Duration
    }

    /// The limit that a response's headers name, on any response and in any of the spellings.
    ///
    /// Of several (`3000, 3000;w=60`) it is the first that has a window.
    static func window(_ head: ResponseHead) -> Window? {
        guard let value = head["RateLimit-Limit"] ?? head["X-RateLimit-Limit"] else { return nil }
        for item in value.split(separator: ",") {
            let parts = item.split(separator: ";").map(\.trimmed)
            let seconds = parts.dropFirst().lazy.filter { $0.hasPrefix("w=") }.compactMap { Int($0.dropFirst(2)) }.first
            guard let limit = parts.first.flatMap({ Int($0) }), let seconds, limit >= 0,
                (1...longestWindow).contains(seconds)
            else { continue }
            return Window(limit: limit, length: .seconds(seconds))
        }
        return nil
    }

    /// The wait in a `Retry-After`: seconds, a time in seconds since 1970 (above 10⁹), or an HTTP date.
    static func wait(_ value: String, now: Int) -> Duration? {
        let text = value.trimmed
        if let number = Int(text) {
            guard number >= 0 else { return nil }
            return .seconds(number > 1_000_000_000 ? max(0, number - now) : number)
        }
        return HTTPDate.seconds(text).map { .seconds(max(0, $0 - now)) }
    }

    /// The wait in a message such as GHCR's `retry-after: 880.092µs, allowed: 44000/minute`.
    static func wait(inMessage message: String) -> Duration? {
        let marker = "retry-after:"
        guard let start = message.lowercased().firstRange(of: marker)?.upperBound else { return nil }
        let text = message.lowercased()[start...].drop { $0 == " " }.prefix { $0 != "," && $0 != " " }
        return GoDuration.parse(String(text))
    }
}

/// A duration as Go prints it: `1h2m3.5s`, `880.092µs`.
enum GoDuration {
    static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        var total = Duration.zero
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !$0.isNumber && $0 != "." }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), value < 1e6, let nanoseconds = nanoseconds(String(unit)) else {
                return nil
            }
            total += .nanoseconds(Int64(value * nanoseconds))
        }
        return total
    }

    private static func nanoseconds(_ unit: String) -> Double? {
        switch unit {
        case "ns": 1
        // The micro sign and the Greek letter: Go has printed both.
        case "us", "\u{b5}s", "\u{3bc}s": 1e3
        case "ms": 1e6
        case "s": 1e9
        case "m": 60e9
        case "h": 3600e9
        default: nil
        }
    }
}

/// The preferred form of RFC 9110's dates: `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
    /// Seconds since 1970, or `nil` for anything else.
    static func seconds(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let year = Int(parts[3]),
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        let time = parts[4].split(separator: ":").map { Int($0) ?? -1 }
        // Also so that no sum can overflow. A leap second is 60.
        guard time.count == 3, (0...23).contains(time[0]), (0...59).contains(time[1]), (0...60).contains(time[2]),
            (1...31).contains(day), (1970...9999).contains(year)
        else { return nil }
        return days(year: year, month: month + 1, day: day) * 86400 + time[0] * 3600 + time[1] * 60 + time[2]
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Days since 1970-01-01 in the Gregorian calendar, whose years are counted from March here: leap days come last.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }
}

extension StringProtocol {
    /// Without spaces around it.
    var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

extension MediaType {
    /// A content type without its parameters, in lower case.
    static func essence(_ contentType: String) -> String {
        contentType.prefix { $0 != ";" }.trimmed.lowercased()
    }
}
