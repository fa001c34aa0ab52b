import FoundationEssentials
import Glibc

/// The built `tidepool serve`, with a configuration and a data directory of its own.
package final class TidepoolProcess: Sendable {
    /// What a test wants in the configuration file.
    package struct Options: Sendable {
        /// The indented lines of `upstreams: docker.io:`, besides the endpoint.
        package var dockerHub: [String] = ["aliases: [dockerhub]", "tag_ttl: 1h"]
        /// Whole further upstreams, indented by two.
        package var otherUpstreams: [String] = []
        /// Further top-level lines.
        package var topLevel: [String] = []
        package var environment: [String: String] = [:]
        /// More words for the command line.
        package var arguments: [String] = []
        package var port = 0
        /// Further listeners, as items of the list, indented by two; the first one stays plain.
        package var listeners: [String] = []

        package init() {}
    }

    package struct NotReady: Error, CustomStringConvertible {
        package let description: String
    }

    package let directory: TemporaryDirectory
    /// Where the mirror listens.
    package let port: Int
    private let process: ChildProcess

    package var client: TestClient { TestClient(port: port) }
    /// The host and port, as clients are told.
    package var authority: String { "127.0.0.1:\(port)" }
    /// Everything that was written to standard output and standard error.
    package var log: String { directory.read("stdout.log") + directory.read("stderr.log") }
    package var dataDirectory: String { directory.path("data") }

    /// Starts the mirror of `upstream`, the URL of what plays Docker Hub, and waits until it listens.
    ///
    /// With the directory of an earlier process it goes on with that one's data.
    package static func start(
        upstream: String,
        _ options: Options = Options(),
        in directory: TemporaryDirectory? = nil
    ) async throws -> TidepoolProcess {
        let directory = try directory ?? TemporaryDirectory("mirror")
        let configuration = try writeConfiguration(upstream: upstream, options, in: directory)
        let before = Self.listeningPorts(directory).count
        let process = try await launch(
            ["serve", "--config", configuration] + options.arguments,
            environment: options.environment,
            in: directory
        )
        for _ in 0..<3000 where process.isRunning {
            if let port = Self.listeningPorts(directory).dropFirst(before).first {
                return TidepoolProcess(directory: directory, port: port, process: process)
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        process.kill()
        await process.waitForExit()
        throw NotReady(description: "no \"listening on\" from tidepool:\n" + directory.read("stderr.log"))
    }

    /// Starts the binary with any arguments; its output goes to `stdout.log` and `stderr.log`.
    package static func launch(
        _ arguments: [String],
        environment: [String: String] = [:],
        in directory: TemporaryDirectory
    ) async throws -> ChildProcess {
        try await ChildProcess.launch(
            [try binary()] + arguments,
            environment: Command.isolated
                .merging(["HOME": directory.path]) { $1 }
                .merging(environment) { $1 },
            output: directory.path("stdout.log"),
            errors: directory.path("stderr.log")
        )
    }

    /// Runs the binary to its end.
    package static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> CommandResult {
        try await Command.run([binary()] + arguments, environment: Command.isolated.merging(environment) { $1 })
    }

    @discardableResult
    package static func writeConfiguration(
        upstream: String,
        _ options: Options,
        in directory: TemporaryDirectory
    ) throws -> String {
        let text = """
            listen:
              - address: 127.0.0.1:\(options.port)
            \(options.listeners.joined(separator: "\n"))
            data_dir: \(directory.path("data"))
            upstreams:
              docker.io:
                endpoint: \(upstream)
            \(options.dockerHub.map { "    \($0)" }.joined(separator: "\n"))
            \(options.otherUpstreams.joined(separator: "\n"))
            \(options.topLevel.joined(separator: "\n"))

            """
        return try directory.write(text, to: "tidepool.yaml")
    }

    private init(directory: TemporaryDirectory, port: Int, process: ChildProcess) {
        self.directory = directory
        self.port = port
        self.process = process
    }

    /// The ports in the log's "listening on" lines.
    private static func listeningPorts(_ directory: TemporaryDirectory) -> [Int] {
        let lines = (directory.read("stdout.log") + "\n" + directory.read("stderr.log")).split(separator: "\n")
        return lines.compactMap { line in
            guard let found = line.firstRange(of: "istening on") else { return nil }
            let address = line[found.upperBound...].firstRange(of: "127.0.0.1:")
            return address.flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
        }
    }

    /// The binary under test: `TIDEPOOL_BINARY`, or the one beside the test bundle.
    package static func binary() throws -> String {
        if let path = ProcessInfo.processInfo.environment["TIDEPOOL_BINARY"] { return path }
        let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let candidates = [here] + CommandLine.arguments
        for candidate in candidates where candidate.contains("/.build") {
            var parts = candidate.split(separator: "/").dropLast()
            while !parts.isEmpty {
                let path = "/" + parts.joined(separator: "/") + "/tidepool"
                if FileManager.default.isExecutableFile(atPath: path) { return path }
                parts.removeLast()
            }
        }
        throw NotReady(description: "no tidepool binary beside \(candidates); set TIDEPOOL_BINARY")
    }

    // MARK: Life

    package var isRunning: Bool { process.isRunning }

    package var identifier: pid_t { process.identifier }

    /// Asks it to end, in good order.
    package func terminate() { signal(SIGTERM) }

    package func signal(_ number: Int32) { process.signal(number) }

    /// Ends it as a crash would.
    package func kill() async {
        process.kill()
        await process.waitForExit()
    }

    package func waitForExit(within limit: Duration = .seconds(40)) async -> ExitStatus? {
        await process.waitForExit(within: limit)
    }

    /// Anonymous memory, in bytes: the index's mapped pages are page cache and do not count.
    package var residentBytes: Int {
        let status = try? String(contentsOfFile: "/proc/\(process.identifier)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        let kilobytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
        return (kilobytes ?? 0) << 10
    }
}
