import ArgumentParser
import Foundation
import MirrorCore
import Settings

/// Shows what a settings file means, or everything that is wrong with it.
struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Show the resolved settings, or all that is wrong with them.",
        discussion: "Secrets are shown as <redacted>. Warnings go to stderr, and leave the exit code at 0."
    )

    @Argument(help: "The settings file. Default: $TIDEPOOL_CONFIG, or the built-in settings.")
    var file: String?

    func run() throws {
        let loaded = try Self.load(file)
        Console.result(loaded.settings.rendered)
    }

    /// Reads the settings for any command; prints warnings, and on problems prints all of them and exits.
    static func load(_ given: String?) throws -> LoadedMirror {
        let environment = ProcessInfo.processInfo.environment
        let file = SettingsFile.path(given: given, environment: environment)
        do {
            let loaded = try MirrorSettings.load(file: file, environment: environment)
            for warning in loaded.warnings { Console.problem("warning: \(warning)") }
            try loaded.settings.checkFiles(namedIn: file ?? "settings") {
                FileManager.default.isReadableFile(atPath: $0)
            }
            let served = try ServedTargets.read(loaded.settings, environment: environment)
            for warning in served.warnings { Console.problem("warning: \(warning)") }
            return LoadedMirror(settings: loaded.settings, targets: served.targets)
        } catch {
            Console.problem("\(error)")
            throw ExitCode.configurationError
        }
    }
}

/// What a settings file means, with the files that it names.
struct LoadedMirror {
    var settings: MirrorSettings
    /// From the files of `serve_targets`.
    var targets: [ServedTarget]
}
