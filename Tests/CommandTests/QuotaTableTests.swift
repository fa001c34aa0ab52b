import Foundation
import RegistryHTTP
import Testing

@testable import tidepool

@Suite("What quota prints")
struct QuotaTableTests {
    /// 2026-11-21 13:23:00 UTC.
    private static let now = Date(timeIntervalSince1970: 1_795_267_380)

    /// Docker Hub under some name, and a registry of which nothing is known.
    private static func report(_ name: String = "docker.io", remaining: Int = 87) throws -> QuotaReport {
        let json = """
            {"upstreams": [
                {"upstream": "\(name)", "account": "anonymous", "state": "limited", "limit": 100,
                 "remaining": \(remaining), "window_seconds": 3600, "resets_at": "2026-11-21T14:05:00Z",
                 "source": "203.0.113.7", "spent": {"pull": 13, "prewarm": 0, "refresh": 0}},
                {"upstream": "ghcr.io", "state": "unknown", "spent": {"pull": 0, "prewarm": 0, "refresh": 0}}
            ]}
            """
        return try QuotaReport(json: Array(json.utf8))
    }

    /// The first line of it alone.
    private static func hub(_ name: String = "docker.io") throws -> QuotaReport {
        var report = try report(name)
        report.upstreams.removeLast()
        return report
    }

    private static func text(_ table: QuotaTable, _ report: QuotaReport) -> String {
        table.text(report, now: now, timeZone: .gmt)
    }

    @Test("in a file it is the whole table, without bar and colour")
    func file() throws {
        let expected = """
            UPSTREAM   ACCOUNT    LEFT                     WINDOW  BACK               SPENT                          SOURCE
            docker.io  anonymous  87 of 100                1h      in 42 min (14:05)  13 pull, 0 prewarm, 0 refresh  203.0.113.7
            ghcr.io    -          unknown (not asked yet)  -       -                  0 pull, 0 prewarm, 0 refresh   -
            """
        #expect(Self.text(QuotaTable(), try Self.report()) == expected)
    }

    @Test("a wide terminal has a bar too")
    func wide() throws {
        let expected = """
            UPSTREAM   ACCOUNT    LEFT                    WINDOW  BACK               SPENT                          SOURCE
            docker.io  anonymous  [#########.] 87 of 100  1h      in 42 min (14:05)  13 pull, 0 prewarm, 0 refresh  203.0.113.7
            """
        let report = try Self.hub()
        #expect(Self.text(QuotaTable(columns: 200, hasBar: true), report) == expected)
    }

    @Test("80 columns have what matters")
    func narrow() throws {
        let expected = """
            UPSTREAM   ACCOUNT    LEFT       WINDOW  BACK               SPENT
            docker.io  anonymous  87 of 100  1h      in 42 min (14:05)  13 pull
            """
        let report = try Self.hub()
        #expect(Self.text(QuotaTable(columns: 80, hasBar: true), report) == expected)
    }

    @Test("names too long for the terminal make a list of it, and nothing is cut")
    func long() throws {
        let name = String(repeating: "registry.", count: 8) + "example"
        let expected = """
            \(name)
              account  anonymous
              left     87 of 100
              window   1h
              back     in 42 min (14:05)
              spent    13 pull, 0 prewarm, 0 refresh
              source   203.0.113.7
            """
        let report = try Self.hub(name)
        #expect(Self.text(QuotaTable(columns: 80), report) == expected)
    }

    @Test("no line is wider than the terminal, whichever form it takes", arguments: 60...160)
    func fits(columns: Int) throws {
        let text = Self.text(QuotaTable(columns: columns, hasBar: true), try Self.report())
        let longest = text.split(separator: "\n").map(\.count).max() ?? 0
        #expect(longest <= columns, "\(text)")
    }

    @Test(
        "colour and bar say how much is left",
        arguments: [
            (100, "32m[##########] 100 of 100"), (25, "32m[###.......] 25 of 100"), (24, "33m[##........] 24 of 100"),
            (1, "33m[#.........] 1 of 100"), (0, "31m[..........] 0 of 100"),
        ]
    )
    func colour(remaining: Int, painted: String) throws {
        let report = try Self.report(remaining: remaining)
        let text = Self.text(QuotaTable(columns: 200, hasBar: true, hasColour: true), report)
        #expect(text.contains("\u{1b}[\(painted)\u{1b}[0m"), "\(text)")
        let plain = text.replacing(#/\u{1b}\[[0-9]+m/#, with: "")
        #expect(plain == Self.text(QuotaTable(columns: 200, hasBar: true), report))
    }
}
