import FoundationEssentials

/// A command that ran to its end.
package struct CommandResult: Sendable, CustomStringConvertible {
    package let command: [String]
    /// `nil` when it had to be killed because it took too long.
    package let status: ExitStatus?
    package let output: String
    package let errors: String

    package var succeeded: Bool { status == .exited(0) }

    package var description: String {
        "\(command.joined(separator: " "))\n-> \(status.map { "\($0)" } ?? "killed: took too long")\n\(output)\n\(errors)"
    }
}

/// Running programs to their end.
package enum Command {
    /// An environment in which a client that turns away from the mirror fails at once.
    ///
    /// A proxy that refuses connections stands for the internet; loopback does not go through it.
    package static let isolated = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
    ]

    package static func run(
        _ command: [String],
        environment: [String: String] = isolated,
        within limit: Duration = .seconds(60)
    ) async throws -> CommandResult {
        let directory = try TemporaryDirectory("run")
        let process = try await ChildProcess.launch(
            command,
            environment: environment,
            output: directory.path("out"),
            errors: directory.path("err")
        )
        let status = await process.waitForExit(within: limit)
        return CommandResult(
            command: command,
            status: status,
            output: directory.read("out"),
            errors: directory.read("err")
        )
    }

    /// The path of an installed program.
    package static func find(_ name: String) -> String? {
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
