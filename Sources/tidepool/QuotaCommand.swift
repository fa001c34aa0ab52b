import ArgumentParser
import DiskStore
import Foundation
import Logging
import Posix
import RegistryHTTP
import Settings

/// Shows what is left of the pull quotas.
struct QuotaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quota",
        abstract: "Show what is left of each upstream's pull quota.",
        discussion: """
            Asks the running mirror by the control socket in its data directory; where none runs, reads the data \
            directory itself. If nothing is known of Docker Hub's quota, Docker Hub is asked by one request that is free.
            """
    )

    @Option(help: "The settings file. Default: $TIDEPOOL_CONFIG, or the built-in settings.")
    var config: String?

    @Option(help: "The cache is here instead of where the settings say.", transform: ServeCommand.path)
    var dataDir: String?

    @Flag(help: "Print JSON: the document of /-/api/quota.")
    var json = false

    func run() async throws {
        var settings = try CheckConfigCommand.load(config).settings
        if let dataDir { settings.dataDirectory = dataDir }
        let writer = LogWriter()
        defer { writer.close() }
        do {
            // A mirror's log is of no interest here, but for what hinders the answer.
            settings.log.level = .warning
            let document = try await Self.document(settings, Logger(settings.log, to: writer))
            Console.result(
                json ? String(decoding: document, as: UTF8.self) : Self.table(try Self.report(in: document))
            )
        } catch {
            Console.problem("tidepool: \(error)")
            throw ExitCode.failed
        }
    }

    /// The JSON document: the running mirror's own, or else what the data directory has.
    private static func document(_ settings: MirrorSettings, _ logger: Logger) async throws -> [UInt8] {
        let socket = "\(settings.dataDirectory)/control.sock"
        if let answer = try await ControlClient.get("/-/api/quota", from: socket) {
            return answer
        }
        let stored: StoredQuota
        do {
            stored = try StoredQuota(settings, logger: logger)
        } catch let error as DataDirectoryError {
            throw ControlFailure(error, settings.dataDirectory, socket: socket) ?? error
        }
        defer { stored.close() }
        return try await stored.report().json
    }

    /// Understands a document, which a mirror of another version may have written.
    static func report(in document: [UInt8]) throws(ControlFailure) -> QuotaReport {
        do {
            return try QuotaReport(json: document)
        } catch {
            throw ControlFailure(
                description: """
                    the running mirror's answer is not understood: it may be of another version; \
                    `tidepool quota --json` prints the answer as it is
                    """
            )
        }
    }

    private static func table(_ report: QuotaReport) -> String {
        let terminal = Terminal.standardOutput
        // https://no-color.org: any value but the empty one.
        let refusesColour = ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        let table = QuotaTable(
            columns: terminal?.columns,
            hasBar: terminal != nil,
            hasColour: terminal != nil && !refusesColour
        )
        return table.text(report, now: Date(), timeZone: .current)
    }
}
