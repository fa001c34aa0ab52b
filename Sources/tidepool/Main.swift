import ArgumentParser
import Foundation

@main
struct Tidepool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tidepool",
        abstract: "A caching mirror for container registries.",
        discussion: """
            Exit codes: 0 done, 1 partly failed or unhealthy, 2 failed, 3 configuration error, 4 authentication error, \
            64 usage.
            """,
        version: Release.version,
        subcommands: [
            ServeCommand.self, PrewarmCommand.self, CacheCommand.self, QuotaCommand.self, CheckConfigCommand.self,
            ClientConfigCommand.self, HealthCommand.self, VersionCommand.self,
        ]
    )
}

/// The exit codes of every command, besides those of `ArgumentParser` (0 and 64).
extension ExitCode {
    /// Part of the work could not be done; for `health`, that the mirror is not ready.
    static let partlyFailed = ExitCode(1)
    static let failed = ExitCode(2)
    /// The settings are wrong, or cannot be read.
    static let configurationError = ExitCode(3)
}

/// Where results and problems go: one is for programs, the other for people.
enum Console {
    static func result(_ text: String) {
        write(text, to: .standardOutput)
    }

    static func problem(_ text: String) {
        write(text, to: .standardError)
    }

    /// Writes to standard error as it is, without a newline.
    static func raw(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// Writes lines to standard error as they are.
    static func raw(_ lines: [UInt8]) {
        try? FileHandle.standardError.write(contentsOf: Data(lines))
    }

    private static func write(_ text: String, to handle: FileHandle) {
        // A reader that has gone away (`| head`) is no failure of ours.
        try? handle.write(contentsOf: Data((text.hasSuffix("\n") ? text : text + "\n").utf8))
    }
}
