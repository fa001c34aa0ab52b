import Curl
import MirrorCore
import Testing

@testable import UpstreamHTTP

@Suite("Rate limit answers")
struct RateLimitTests {
    static let json = #"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#
    static let now = 1_800_000_000

    @Test(
        "say which limit it is, and when to come back",
        arguments: [
            ([:], json, UpstreamError.pullLimited(retryAfter: nil)),
            (["Content-Type": "text/plain"], "Too Many Requests (HAP429).\n", .abuseLimited(retryAfter: nil)),
            (["Content-Type": "application/json"], "", .pullLimited(retryAfter: nil)),
            (["Content-Type": "text/plain"], "", .abuseLimited(retryAfter: nil)),
            (["Content-Type": "application/json"], #"{"errors":[{"code":"DENIED"}]}"#, .abuseLimited(retryAfter: nil)),
            (["Retry-After": "60"], "", .abuseLimited(retryAfter: .seconds(60))),
            (["retry-after": " 60 "], json, .pullLimited(retryAfter: .seconds(60))),
            (["Retry-After": "0"], "", .abuseLimited(retryAfter: .seconds(1))),
            (["Retry-After": "-5"], "", .abuseLimited(retryAfter: nil)),
            (["Retry-After": "soon"], "", .abuseLimited(retryAfter: nil)),
            (["Retry-After": "1800000090"], "", .abuseLimited(retryAfter: .seconds(90))),
            (["Retry-After": "1746136938"], "", .abuseLimited(retryAfter: .seconds(1))),
            (["Retry-After": "999999999"], "", .abuseLimited(retryAfter: .seconds(86400))),
            (["Retry-After": "Fri, 15 Jan 2027 08:02:00 GMT"], "", .abuseLimited(retryAfter: .seconds(120))),
            (
                ["Retry-After": "Sun, 06 Nov 2030 9223372036854775807:00:00 GMT"], "",
                .abuseLimited(retryAfter: nil)
            ),
            (["Retry-After": "Fri, 15 Jan 2027 08:60:00 GMT"], "", .abuseLimited(retryAfter: nil)),
            (["Retry-After": "Fri, 15 Jan 2027 08:02:-1 GMT"], "", .abuseLimited(retryAfter: nil)),
            (["Retry-After": "Fri, 15 Jan 2027 08:x:02:00 GMT"], "", .abuseLimited(retryAfter: nil)),
            (["RateLimit-Limit": "1;w=9223372036854775807"], "", .abuseLimited(retryAfter: nil)),
            (["x-ratelimit-limit": "100;w=3600"], json, .pullLimited(retryAfter: .seconds(36))),
            (
                ["RateLimit-Limit": "100;w=3600", "Retry-After": "999999"], json,
                .pullLimited(retryAfter: .seconds(3600))
            ),
            (
                [:], #"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 2m3.5s, allowed: 44000/minute"}]}"#,
                .pullLimited(retryAfter: .milliseconds(123_500))
            ),
            (
                [:],
                #"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 880.092µs, allowed: 44000/minute"}]}"#,
                .pullLimited(retryAfter: .seconds(1))
            ),
        ] as [([String: String], String, UpstreamError)]
    )
    func answers(fields: [String: String], body: String, expected: UpstreamError) {
        #expect(RateLimitAnswer.limit(head(429, fields), body: Array(body.utf8), now: Self.now).error == expected)
    }

    @Test(
        "name the limit in every spelling",
        arguments: [
            ("ratelimit-limit", "100;w=21600", 100, 21600), ("RateLimit-Limit", "200;w=3600", 200, 3600),
            ("x-ratelimit-limit", "100;w=3600", 100, 3600), ("RateLimit-Limit", "3000, 3000;w=60", 3000, 60),
            ("RateLimit-Limit", "100; w=60 ;x=1", 100, 60),
        ]
    )
    func limits(name: String, value: String, limit: Int, seconds: Int) {
        let expected = RateLimitAnswer.Window(limit: limit, length: .seconds(seconds))
        #expect(RateLimitAnswer.window(head(200, [name: value])) == expected)
    }

    @Test("name none where they do not", arguments: ["", "180", "100;w=0", "100;w=x", "x;w=60"])
    func noLimit(value: String) {
        #expect(RateLimitAnswer.window(head(200, ["RateLimit-Limit": value])) == nil)
        #expect(RateLimitAnswer.window(head(200)) == nil)
    }

    @Test(
        "HTTP dates are read",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199), ("Tue, 31 Dec 2999 00:00:00 GMT", 32_503_593_600),
        ]
    )
    func dates(text: String, seconds: Int) {
        #expect(HTTPDate.seconds(text) == seconds)
    }

    @Test(
        "other dates are not",
        arguments: ["", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "a b c d e GMT"]
    )
    func otherDates(text: String) {
        #expect(HTTPDate.seconds(text) == nil)
    }
}
