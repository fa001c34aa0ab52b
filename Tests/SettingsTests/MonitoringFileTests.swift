import Foundation
import MirrorCore
import Testing
import Yams

@Suite("The alert rules and the dashboard that are shipped")
struct MonitoringFileTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The names of the families that `/metrics` has, and of a histogram's series.
    private static var exposed: (families: Set<String>, series: Set<String>) {
        let lines = Metrics().text().split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
        let types = lines.map { $0.split(separator: " ").suffix(2).map(String.init) }
        let series = types.flatMap { type in
            type[1] == "histogram" ? ["_bucket", "_sum", "_count"].map { type[0] + $0 } : [type[0]]
        }
        return (Set(types.map { $0[0] }), Set(series))
    }

    private static func names(in text: String) -> Set<String> {
        Set(text.matches(of: /tidepool_[a-z_]+/).map { String($0.output) })
    }

    @Test("every family is described once")
    func families() {
        let text = Metrics().text()
        for keyword in ["HELP", "TYPE"] {
            let lines = text.split(separator: "\n").filter { $0.hasPrefix("# \(keyword) ") }
            #expect(lines.count == Self.exposed.families.count)
        }
        #expect(Self.exposed.families.count > 10)
    }

    @Test("the alert rules are YAML, each with its own name, and use metrics that there are")
    func alerts() throws {
        let text = try Self.text("config/prometheus/alerts.yaml")
        let document = try #require(try Yams.load(yaml: text) as? [String: Any])
        let groups = try #require(document["groups"] as? [[String: Any]])
        let rules = groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }
        let alerts = rules.compactMap { $0["alert"] as? String }
        #expect(alerts.count == rules.count && Set(alerts).count == alerts.count && !alerts.isEmpty)
        for rule in rules {
            let used = Self.names(in: rule["expr"] as? String ?? "")
            #expect(!used.isEmpty && used.isSubset(of: Self.exposed.series), "\(rule)")
        }
    }

    @Test("the dashboard is JSON, and uses metrics that there are")
    func dashboard() throws {
        let text = try Self.text("config/grafana/tidepool.json")
        #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any])
        let used = Self.names(in: text)
        #expect(!used.isEmpty)
        #expect(used.subtracting(Self.exposed.series).sorted() == [])
    }

    @Test("docs/operations.md has every metric")
    func documented() throws {
        let operations = try Self.text("docs/operations.md")
        for family in Self.exposed.families.sorted() {
            #expect(operations.contains("| `\(family)` |"), "docs/operations.md does not have \(family)")
        }
    }
}
