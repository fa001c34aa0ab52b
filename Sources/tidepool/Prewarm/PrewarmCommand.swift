import ArgumentParser
import Foundation
import Logging
import OCI
import Ocync
import Prewarm
import Settings
import YAMLReading

/// Fills the cache ahead of pulls.
struct PrewarmCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prewarm",
        abstract: "Fetch the images of an ocync configuration before anybody pulls them.",
        discussion: """
            The file has the configuration itself, or is a Helm values.yaml with one under `config`. The work is done by \
            the mirror that runs on the data directory, by the one that --mirror names, or here when none runs. What is \
            cached costs nothing; an interrupted run is continued by the next.

            Exit codes: 0 done, 1 partly failed or stopped before its end, 2 failed, 3 the file or the settings are \
            wrong, 4 authentication failed, 64 usage.
            """
    )

    @Argument(help: "The ocync file.", transform: ServeCommand.path)
    var file: String

    @Option(help: "The settings file. Default: $TIDEPOOL_CONFIG, or the built-in settings.")
    var config: String?

    @Option(help: "The cache is here instead of where the settings say.", transform: ServeCommand.path)
    var dataDir: String?

    @Option(help: "Warm the mirror at this URL, by pulling from it.", transform: ServeCommand.url)
    var mirror: EndpointURL?

    @Flag(help: "Only check the file; nothing is asked of anybody.")
    var check = false

    @Flag(help: "Explain which tags are wanted and what they cost; fetch nothing.")
    var dryRun = false

    @Option(
        help: "With --dry-run, take tags from this JSON file, repository to list, and ask nobody.",
        transform: ServeCommand.path
    )
    var tagsFile: String?

    @Flag(help: "Print a JSON document instead of text.")
    var json = false

    @Option(help: "Stop after so many manifest reads.", transform: Self.count)
    var budget: Int?

    @Option(
        help: "Leave so many manifest reads of the quota to pulls. Default: the upstream's setting.",
        transform: Self.count
    )
    var reserve: Int?

    @Flag(help: "Sleep until there is quota again, rather than stop.")
    var wait = false

    @Option(
        name: .customLong("platform"),
        help: "Fetch this platform of each image, such as linux/amd64, whatever the file says. May be repeated.",
        transform: Self.platform
    )
    var platforms: [PlatformFilter] = []

    @Option(help: "The tag of a mapping that has none anywhere.", transform: Self.tag)
    var defaultTag = "latest"

    func validate() throws {
        if tagsFile != nil, !dryRun { throw ValidationError("--tags-file goes with --dry-run") }
        if check, dryRun { throw ValidationError("--check and --dry-run exclude each other") }
        if mirror != nil, dataDir != nil { throw ValidationError("--mirror and --data-dir exclude each other") }
    }

    func run() async throws {
        let loaded = try load()
        for warning in loaded.warnings { Console.problem("warning: \(warning)") }
        if check { return Console.result(CheckText.text(loaded, file: file, json: json)) }
        if let tagsFile { return try explain(loaded, tagsIn: tagsFile) }
        let outcome = try await Interruption.cancelling { try await work(loaded) }
        if outcome != .done { throw ExitCode(outcome.rawValue) }
    }

    private func work(_ ocync: LoadedOcync) async throws -> PrewarmOutcome {
        let writer = LogWriter()
        defer { writer.close() }
        let place: PrewarmPlace
        do {
            place = try await findPlace(for: ocync.configuration, writer)
        } catch let code as ExitCode {
            throw code
        } catch {
            Console.problem("tidepool: \(error)")
            throw ExitCode.failed
        }
        let work = PrewarmWork(loaded: ocync, options: options, isJSON: json)
        let outcome = dryRun ? await work.explain(place) : await work.carryOut(place)
        await place.close()
        return outcome
    }

    private func findPlace(for configuration: OcyncConfiguration, _ writer: LogWriter) async throws -> PrewarmPlace {
        var log = LogSettings()
        // A mirror's log is of no interest here, but for what hinders the work.
        log.level = .error
        let logger = Logger(log, to: writer)
        if let mirror { return try PrewarmPlace.remote(mirror, logger) }
        var loaded = try CheckConfigCommand.load(config)
        if let dataDir { loaded.settings.dataDirectory = dataDir }
        return try await PrewarmPlace.find(loaded, configuration, logger)
    }

    private var options: PrewarmOptions {
        var options = PrewarmOptions()
        options.platforms = platforms.isEmpty ? nil : platforms
        options.budget = budget
        options.reserve = reserve
        options.waits = wait
        return options
    }

    private func load() throws -> LoadedOcync {
        do throws(OcyncError) {
            return try OcyncConfiguration.load(
                file: file,
                environment: ProcessInfo.processInfo.environment,
                leniency: Leniency(defaultTag: defaultTag)
            )
        } catch {
            Console.problem("\(error)")
            if check, json { Console.result(CheckText.refusal(error)) }
            throw ExitCode.configurationError
        }
    }

    /// What the filters make of the tags in a file.
    private func explain(_ loaded: LoadedOcync, tagsIn path: String) throws {
        let tags: [String: [String]]
        do throws(TagsFile.Unreadable) {
            tags = try TagsFile.read(path)
        } catch {
            Console.problem("tidepool: \(error)")
            throw ExitCode.failed
        }
        let warnings = loaded.warnings.map(\.description)
        let plan = Planner.offline(loaded.configuration, tags: tags, warnings: warnings)
        Console.result(
            json
                ? String(decoding: PlanDocument(plan, isOffline: true).json, as: UTF8.self)
                : PlanText(plan: plan, isOffline: true).text
        )
        if plan.outcome != .done { throw ExitCode(plan.outcome.rawValue) }
    }

    // MARK: - Options

    private static func count(_ text: String) throws -> Int {
        guard let count = Int(text), count >= 0 else { throw ValidationError("\"\(text)\" is not a number from 0") }
        return count
    }

    private static func platform(_ text: String) throws -> PlatformFilter {
        guard let platform = PlatformFilter(text) else {
            throw ValidationError(
                "\"\(text)\" is not a platform; write os/architecture, such as linux/arm64 or linux/arm/v7"
            )
        }
        return platform
    }

    private static func tag(_ text: String) throws -> String {
        guard let tag = try? Tag(text) else { throw ValidationError("\"\(text)\" is not a tag") }
        return tag.text
    }
}
