import Foundation
import MirrorCore
import Testing

@testable import RegistryHTTP

/// What Docker Hub says of itself, as the tests of the report want it.
extension QuotaStatus {
    static func dockerHub(remaining: Int? = 87, limit: Int? = 100) -> QuotaStatus {
        var status = QuotaStatus(account: QuotaAccount(upstream: .dockerHub, account: "me"), spent: [.pull: 13])
        status.limit = limit
        status.remaining = remaining
        status.window = .seconds(3600)
        // 2026-11-21 14:05:00.250 UTC.
        status.resetsAt = WallTime(milliseconds: 1_795_269_900_250)
        status.observedAt = WallTime(milliseconds: 1_795_267_380_000)
        status.source = "203.0.113.7"
        return status
    }
}

extension UpstreamQuota {
    static func dockerHub(remaining: Int? = 87, limit: Int? = 100) -> UpstreamQuota {
        UpstreamQuota(upstream: .dockerHub, status: .dockerHub(remaining: remaining, limit: limit))
    }
}

@Suite("The quota report")
struct QuotaReportTests {
    @Test("its JSON has every key, and null for what is not known")
    func json() {
        let report = QuotaReport([.dockerHub(), UpstreamQuota(upstream: UpstreamName("ghcr.io"), problem: "dns")])
        let expected = """
            {
              "upstreams" : [
                {
                  "account" : "me",
                  "error" : null,
                  "limit" : 100,
                  "observed_at" : "2026-11-21T13:23:00Z",
                  "remaining" : 87,
                  "resets_at" : "2026-11-21T14:05:00Z",
                  "source" : "203.0.113.7",
                  "spent" : {
                    "prewarm" : 0,
                    "pull" : 13,
                    "refresh" : 0
                  },
                  "state" : "limited",
                  "upstream" : "docker.io",
                  "window_seconds" : 3600
                },
                {
                  "account" : null,
                  "error" : "dns",
                  "limit" : null,
                  "observed_at" : null,
                  "remaining" : null,
                  "resets_at" : null,
                  "source" : null,
                  "spent" : {
                    "prewarm" : 0,
                    "pull" : 0,
                    "refresh" : 0
                  },
                  "state" : "unknown",
                  "upstream" : "ghcr.io",
                  "window_seconds" : null
                }
              ]
            }

            """
        #expect(String(decoding: report.json, as: UTF8.self) == expected)
    }

    @Test("it reads what it wrote")
    func roundTrip() throws {
        let report = QuotaReport([.dockerHub(), UpstreamQuota(upstream: UpstreamName("ghcr.io"))])
        #expect(try QuotaReport(json: report.json) == report)
    }

    @Test("the state says in a word how it stands")
    func states() {
        var silent = QuotaStatus.dockerHub(remaining: nil, limit: nil)
        silent.observedAt = nil
        let quotas = [
            .dockerHub(), .dockerHub(remaining: 0), .dockerHub(remaining: nil, limit: nil),
            UpstreamQuota(upstream: .dockerHub, status: silent), UpstreamQuota(upstream: .dockerHub),
        ]
        #expect(QuotaReport(quotas).upstreams.map(\.state) == [.limited, .exhausted, .unlimited, .unknown, .unknown])
    }
}

@Suite("The quota in words")
struct QuotaRowTests {
    private static let now = Date(timeIntervalSince1970: 1_795_267_380)
    private static let berlin = TimeZone(secondsFromGMT: 3600) ?? .gmt

    private func row(_ change: (inout QuotaReport.Entry) -> Void = { _ in }) -> QuotaRow {
        var entry = QuotaReport([.dockerHub()]).upstreams[0]
        change(&entry)
        return QuotaRow(entry, now: Self.now, timeZone: Self.berlin)
    }

    @Test("a known quota")
    func known() {
        let row = row()
        #expect(row.left == "87 of 100")
        #expect(row.window == "1h")
        #expect(row.back == "in 42 min (15:05)")
        #expect(row.spent == "13 pull, 0 prewarm, 0 refresh")
        #expect(row.spentInShort == "13 pull")
    }

    @Test("no limit, and no knowledge with its reason")
    func unlimited() {
        #expect(row { $0.state = .unlimited }.left == "unlimited")
        #expect(row { $0.state = .unknown }.left == "unknown (not asked yet)")
        #expect(
            row { ($0.state, $0.error) = (.unknown, "credentials_refused") }.left == "unknown (credentials refused)"
        )
        #expect(row { $0.resetsAt = nil }.back == "-")
        #expect(row { $0.spent = .init() }.spentInShort == "-")
        #expect(row { ($0.account, $0.source, $0.windowSeconds) = (nil, nil, nil) }.account == "-")
    }

    @Test(
        "when it is back",
        arguments: [
            (-5, "now"), (0, "now"), (1, "in 1 s (14:23)"), (119, "in 119 s (14:24)"), (120, "in 2 min (14:25)"),
            (7199, "in 120 min (16:22)"), (7200, "in 2 h (16:23)"), (21_600, "in 6 h (20:23)"),
            (86_400, "in 1 d (2026-11-22)"), (30 * 86_400, "in 30 d (2026-12-21)"),
        ]
    )
    func back(seconds: Double, text: String) {
        #expect(row { $0.resetsAt = Self.now + seconds }.back == text)
    }

    @Test(
        "a window is in its largest whole unit",
        arguments: [
            (3600, "1h"), (21_600, "6h"), (5400, "90m"), (86_400, "1d"), (90, "90s"), (0, "0s"), (3601, "3601s"),
        ]
    )
    func window(seconds: Int, text: String) {
        #expect(row { $0.windowSeconds = seconds }.window == text)
    }

    @Test("what a registry says of itself cannot drive a terminal, nor fill it")
    func hostile() {
        let row = row { ($0.source, $0.account) = ("\u{1b}[2J\u{9b}1m", String(repeating: "a", count: 500)) }
        #expect(row.source == "?[2J?1m")
        #expect(row.account.count == 80)
    }
}
