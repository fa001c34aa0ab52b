import Glibc

/// A client's daemon, in a mount and a process name space of its own.
///
/// Whatever it mounts or starts is gone with it, however it ends.
package final class Daemon: Sendable {
    package struct DidNotStart: Error, CustomStringConvertible {
        package let description: String
    }

    private let process: ChildProcess
    private let directory: TemporaryDirectory

    /// Starts the daemon and waits until `probe` succeeds.
    package static func start(
        _ command: [String],
        in directory: TemporaryDirectory,
        isolated: Bool = true,
        environment: [String: String] = Command.isolated,
        probe: [String]
    ) async throws -> Daemon {
        let wrapper = [
            ClientTool.unshare.path, "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", "--",
        ]
        let process = try await ChildProcess.launch(
            (isolated ? wrapper : []) + command,
            environment: environment,
            output: directory.path("daemon.log"),
            errors: directory.path("daemon.log")
        )
        for _ in 0..<300 where process.isRunning {
            if try await Command.run(probe, environment: environment).succeeded {
                return Daemon(process: process, directory: directory)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        process.kill()
        await process.waitForExit()
        throw DidNotStart(description: "\(command[0]) did not start:\n" + directory.read("daemon.log"))
    }

    private init(process: ChildProcess, directory: TemporaryDirectory) {
        self.process = process
        self.directory = directory
    }

    package var log: String { directory.read("daemon.log") }

    /// Asks the daemon to end, and insists after a while.
    package func stop() async {
        // To the group: `unshare` itself does not pass it on.
        process.signalGroup(SIGTERM)
        _ = await process.waitForExit(within: .seconds(10))
    }

    /// Ends the daemon as a crash would.
    package func kill() async {
        process.kill()
        await process.waitForExit()
    }
}
