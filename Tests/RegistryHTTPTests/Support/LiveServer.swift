import Locking
import Logging
import MirrorCore
import OCI

@testable import RegistryHTTP

/// A server on a loopback port, over a scripted core.
struct LiveServer {
    let server: RegistryServer
    let address: String
    let registry: FakeRegistry
    let administration: FakeAdministration
    let cache: FakeCache
    let metrics: Metrics
    let log: LogLines

    /// Sends one request on a connection of its own.
    func request(_ target: String, method: String = "GET", headers: [String] = []) async throws -> RawResponse {
        let client = try await RawClient(address)
        let lines = ["\(method) \(target) HTTP/1.1", "Host: mirror"] + headers
        try await client.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
        return try await client.response(toHead: method == "HEAD")
    }
}

/// Starts a server, and drains it after `body`.
func withServer<Value>(
    _ configure: (inout RegistryServer.Options) -> Void = { _ in },
    tls: RegistryServer.TLSFiles? = nil,
    body: (LiveServer) async throws -> Value
) async throws -> Value {
    var options = RegistryServer.Options(
        listeners: [RegistryServer.Listener(address: "127.0.0.1:0", tls: tls)],
        instanceID: "test-instance"
    )
    options.eventLoops = 1
    let log = LogLines()
    options.accessLog = .init(.text, to: log)
    configure(&options)
    let registry = FakeRegistry()
    let metrics = Metrics()
    let administration = FakeAdministration()
    let cache = FakeCache()
    let server = RegistryServer(
        options: options,
        registry: registry,
        administration: administration,
        cache: cache,
        warming: FakeWarmMirror(),
        metrics: metrics,
        logger: log.logger
    )
    let address = try await server.start()[0]
    server.isReady = true
    let live = LiveServer(
        server: server,
        address: address,
        registry: registry,
        administration: administration,
        cache: cache,
        metrics: metrics,
        log: log
    )
    do {
        let value = try await body(live)
        await server.drain(within: .zero)
        return value
    } catch {
        await server.drain(within: .zero)
        throw error
    }
}

/// Waits for something that the server does in its own time; the suite's time limit ends the waiting.
func eventually(_ condition: () -> Bool) async throws {
    while !condition() {
        try Task.checkCancellation()
        await Task.yield()
    }
}

/// Collects what is logged.
final class LogLines: AccessLines {
    private let lines = Locked<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func write(_ line: [UInt8]) {
        lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }

    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let pairs = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(separator: " ")
            lines.lines.withLock { $0.append("\(event.level) \(event.message) \(pairs)") }
        }
    }
}

extension Digest {
    /// A digest of one repeated byte, for scripts where no one hashes.
    init(repeating byte: UInt8) {
        // 32 bytes are what SHA-256 has.
        self.init(algorithm: .sha256, bytes: [UInt8](repeating: byte, count: 32).span)!
    }
}
