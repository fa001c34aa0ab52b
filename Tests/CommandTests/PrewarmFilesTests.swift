import ArgumentParser
import Foundation
import Ocync
import Testing
import YAMLReading

@testable import tidepool

@Suite("The prewarm files that are shipped, and the examples of docs/prewarm.md")
struct PrewarmFilesTests {
    private static func text(_ path: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The words after `tidepool prewarm` on a line, up to a pipe, a redirection or a comment.
    private static func arguments(_ line: some StringProtocol) -> [String]? {
        guard let start = line.range(of: "tidepool prewarm ") else { return nil }
        let rest = line[start.upperBound...].prefix { !"|>#;".contains($0) }
        return String(rest).split(separator: " ").map(String.init)
    }

    private static func parse(_ line: some StringProtocol) throws -> PrewarmCommand? {
        try arguments(line).map { try #require(try Tidepool.parseAsRoot(["prewarm"] + $0) as? PrewarmCommand) }
    }

    @Test("the crontab's line is a command that we have, with a user and no percent sign")
    func cron() throws {
        let lines = try Self.text("config/cron/tidepool-prewarm").split(separator: "\n").filter { !$0.hasPrefix("#") }
        let entries = lines.filter { !$0.contains(/^[A-Z]+=/) }
        let entry = try #require(entries.first)
        #expect(entries.count == 1 && !entry.contains("%"))
        #expect(entry.hasPrefix("17 3 * * * root "))
        let command = try #require(try Self.parse(entry))
        #expect(command.file == "/etc/tidepool/ocync.yaml" && command.dataDir == "/var/lib/tidepool")
        #expect(command.budget == 40 && !command.json && !command.dryRun)
    }

    @Test("the systemd unit runs commands that we have, and belongs to its timer and to the mirror's unit")
    func systemd() throws {
        let unit = try Self.text("config/systemd/tidepool-prewarm.service")
        let commands = try unit.split(separator: "\n").filter { $0.hasPrefix("Exec") }.compactMap(Self.parse)
        #expect(commands.map(\.check) == [true, false])
        #expect(commands.map(\.file) == ["/etc/tidepool/ocync.yaml", "/etc/tidepool/ocync.yaml"])
        #expect(unit.contains("\nUser=tidepool\n") && unit.contains("\nStateDirectory=tidepool\n"))
        #expect(try Self.text("config/systemd/tidepool.service").contains("--data-dir /var/lib/tidepool"))
        #expect(commands.last?.dataDir == "/var/lib/tidepool")
        #expect(try Self.text("config/systemd/tidepool-prewarm.timer").contains("\nOnCalendar="))
    }

    @Test("the CronJob's arguments are a command that we have, its ocync file is right, and the Secret is the mirror's")
    func kubernetes() throws {
        let documents = try Self.text("config/kubernetes/prewarm.yaml").split(separator: "\n---\n").map(String.init)
        let nodes = try documents.map { try #require(try YAMLDocument($0).root) }
        let ocync = try #require(nodes[0]["data", "ocync.yaml"]?.scalar?.text)
        let loaded = try OcyncConfiguration.load(text: ocync, file: "ocync.yaml", environment: [:])
        #expect(loaded.warnings.isEmpty && loaded.configuration.mappings.count == 2, "\(loaded.warnings)")
        let pod = try #require(nodes[1]["spec", "jobTemplate", "spec", "template", "spec"])
        let container = try #require(pod["containers"]?.sequence?.first)
        let arguments = try #require(container["args"]?.sequence).compactMap(\.scalar?.text)
        let command = try #require(try Tidepool.parseAsRoot(arguments) as? PrewarmCommand)
        #expect(command.mirror != nil && command.file == "/etc/tidepool/ocync.yaml")
        let mirror = try Self.text("config/kubernetes/tidepool.yaml")
        let secret = "secretRef: { name: tidepool-credentials, optional: true }"
        #expect(documents[1].contains(secret) && mirror.contains(secret))
    }

    @Test("the ocync file to begin with is right, and warns of nothing")
    func example() throws {
        let loaded = try OcyncConfiguration.load(
            text: try Self.text("config/ocync/ocync.yaml"),
            file: "ocync.yaml",
            environment: [:]
        )
        #expect(loaded.warnings.isEmpty, "\(loaded.warnings)")
        #expect(loaded.configuration.mappings.count == 2)
    }

    @Test("each command of docs/prewarm.md is one that we have, and each file in it is right")
    func documentation() throws {
        let parts = try Self.text("docs/prewarm.md").split(separator: "```", omittingEmptySubsequences: false)
        let blocks = stride(from: 1, to: parts.count, by: 2).map { parts[$0] }
        var counts = (commands: 0, files: 0)
        for block in blocks {
            let body = String(block.drop { $0 != "\n" }.dropFirst())
            if block.hasPrefix("sh\n") {
                counts.commands += try body.split(separator: "\n").compactMap(Self.parse).count
            } else if block.hasPrefix("yaml\n") {
                let loaded = try OcyncConfiguration.load(text: body, file: "ocync.yaml", environment: [:])
                #expect(loaded.warnings.isEmpty, "\(loaded.warnings)")
                counts.files += 1
            } else if block.hasPrefix("json\n") {
                _ = try JSONDecoder().decode([String: [String]].self, from: Data(body.utf8))
                counts.files += 1
            }
        }
        #expect(counts.commands == 5 && counts.files == 2, "\(counts)")
    }
}

extension YAMLNode {
    /// The value under keys of mappings.
    fileprivate subscript(_ keys: String...) -> YAMLNode? {
        keys.reduce(self as YAMLNode?) { node, key in node?.mapping?.first { $0.name == key }?.value }
    }
}
