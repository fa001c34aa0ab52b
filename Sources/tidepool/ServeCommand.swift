import ArgumentParser
import Foundation
import Locking
import Logging
import OCI
import Posix
import RegistryHTTP
import Settings

/// Runs the mirror.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the mirror until SIGTERM or SIGINT.",
        discussion: """
            A signal drains it: /readyz says 503, and answers on their way end, for at most the setting `drain`. \
            A second signal ends it at once.
            """
    )

    @Option(help: "The settings file. Default: $TIDEPOOL_CONFIG, or the built-in settings.")
    var config: String?

    @Option(help: "Listen here instead of where the settings say.", transform: Self.address)
    var listen: ListenAddress?

    @Option(help: "Keep the cache here instead of where the settings say.", transform: Self.path)
    var dataDir: String?

    @Option(help: "The /v2/ endpoint of the default upstream.", transform: Self.url)
    var upstreamEndpoint: EndpointURL?

    @Option(help: "Wait so long for another process to release the data directory.", transform: Self.duration)
    var lockWait: Duration?

    func run() async throws {
        let loaded = try CheckConfigCommand.load(config)
        let settings = overridden(loaded.settings)
        let isStarting = Locked(true)
        let signals = ServerSignal.stream(whileStarting: isStarting)
        OpenFileLimit.raise()
        let writer = LogWriter()
        defer { writer.close() }
        let logger = Logger(settings.log, to: writer)
        let mirror = try Self.reporting {
            try Composition(settings, targets: loaded.targets, lockWait: lockWait, log: writer, logger: logger)
        }
        isStarting.withLock { $0 = false }
        let signal: ServerSignal
        do {
            let addresses = try await mirror.start()
            for (listener, address) in zip(settings.listen, addresses) {
                Console.result("listening on \(listener.tls == nil ? "http" : "https")://\(address)")
            }
            logger.notice("ready", metadata: ["data_dir": "\(settings.dataDirectory)"])
            signal = await Self.untilTold(signals, logger)
        } catch {
            await mirror.stop(draining: .zero)
            Console.problem("tidepool: \(error)")
            throw ExitCode.failed
        }
        await Self.drain(mirror, told: signal, settings.drain, signals, logger)
    }

    /// For how long nothing may be under way before no more requests are taken.
    ///
    /// More than the second after which the kernel tells of clients that are connected and silent: they are told of the end too.
    private static let grace = Duration.milliseconds(1200)

    /// Drains the mirror; a second signal cuts that short, as with other servers.
    private static func drain(
        _ mirror: Composition,
        told signal: ServerSignal,
        _ limit: Duration,
        _ signals: AsyncStream<ServerSignal>,
        _ logger: Logger
    ) async {
        logger.notice("draining", metadata: ["at_most": "\(limit)"])
        let impatience = Task {
            _ = await untilTold(signals, logger)
            guard !Task.isCancelled else { return }
            logger.warning("told again: answers on their way are cut")
            mirror.cutShort()
        }
        // An interrupt is a person at a terminal; whoever sends SIGTERM may still be sending clients here.
        await mirror.stop(draining: limit, grace: signal == .interrupt ? .zero : Self.grace)
        impatience.cancel()
        logger.notice("stopped")
    }

    private func overridden(_ settings: MirrorSettings) -> MirrorSettings {
        var settings = settings
        if let listen { settings.listen = [Settings.Listener(address: listen)] }
        if let dataDir { settings.dataDirectory = dataDir }
        if let upstreamEndpoint {
            for index in settings.upstreams.indices where settings.upstreams[index].name == settings.defaultUpstream {
                settings.upstreams[index].endpoint = upstreamEndpoint
            }
        }
        return settings
    }

    /// Runs `body`; a failure becomes one line and an exit code.
    private static func reporting<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            Console.problem("tidepool: \(error)")
            throw ExitCode.failed
        }
    }

    /// Waits for a signal to stop, and returns which.
    private static func untilTold(_ signals: AsyncStream<ServerSignal>, _ logger: Logger) async -> ServerSignal {
        for await signal in signals {
            guard signal == .hangUp else { return signal }
            logger.notice("SIGHUP: settings are read at start only; restart to apply a change")
        }
        return .terminate
    }

    // MARK: - Options

    private static func address(_ text: String) throws -> ListenAddress {
        guard let address = ListenAddress(text) else {
            throw ValidationError("\"\(text)\" is not an address; write host:port, such as 127.0.0.1:5000 or [::]:5000")
        }
        return address
    }

    static func path(_ text: String) throws -> String {
        guard !text.isEmpty else { throw ValidationError("the path is empty; is a variable unset?") }
        return text
    }

    static func url(_ text: String) throws -> EndpointURL {
        do {
            return try EndpointURL(text)
        } catch {
            throw ValidationError("the URL \(error.text)")
        }
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = Duration(settingsText: text) else {
            throw ValidationError("\"\(text)\" is not a duration; write a number and a unit, such as 30s")
        }
        return duration
    }
}
