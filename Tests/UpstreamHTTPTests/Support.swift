import Curl
import Locking
import Logging
import MirrorCore
import OCI

@testable import UpstreamHTTP

let repository = valid { try RepositoryName("library/nginx") }
let tag = Reference.tag(valid { try Tag("1.27") })
let digest = valid { try Digest("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824") }

/// A value that the test wrote down itself, and that is known to be good.
private func valid<Value>(_ make: () throws -> Value) -> Value {
    do {
        return try make()
    } catch {
        fatalError("a fixture is not valid: \(error)")
    }
}

/// A registry client against loopback servers, with everything it counted and logged.
struct Subject {
    let upstream: RegistryUpstream
    let metrics = Metrics()
    let log = LogRecorder()
    private let loop = TransferLoop(name: "curl-test")

    init(
        _ endpoint: String,
        name: String = "registry.example",
        environment: [String: String] = [:],
        _ configure: (inout UpstreamOptions) -> Void = { _ in }
    ) throws {
        var options = UpstreamOptions(
            name: UpstreamName(name),
            endpoint: endpoint,
            instanceID: "test",
            version: "0.0"
        )
        configure(&options)
        let log = log
        upstream = try RegistryUpstream(
            options,
            transfers: loop,
            environment: environment,
            metrics: metrics,
            logger: Logger(label: "test") { _ in log.handler }
        )
    }

    func blob(from offset: Int = 0) async throws -> BlobRecorder {
        let sink = BlobRecorder()
        try await upstream.blob(digest, in: repository, from: offset, into: sink)
        return sink
    }
}

/// Collects a blob.
final class BlobRecorder: BlobSink {
    private let state = Locked((head: BlobHead?.none, bytes: [UInt8]()))

    var head: BlobHead? { state.withLock { $0.head } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func begin(_ head: BlobHead) -> Bool {
        state.withLock { $0.head = head }
        return true
    }

    func receive(_ bytes: Span<UInt8>) -> Bool {
        state.withLock { state in
            for index in bytes.indices { state.bytes.append(bytes[index]) }
        }
        return true
    }
}

/// Everything that was logged, at any level.
final class LogRecorder: Sendable {
    private let lines = Locked<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }
    func count(of part: String) -> Int { lines.withLock { $0.filter { $0.contains(part) }.count } }

    var handler: some LogHandler { Handler(recorder: self) }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            recorder.lines.withLock { [metadata] in $0.append("\(event.message) \(event.metadata ?? [:]) \(metadata)") }
        }
    }
}

/// A response head with these fields.
func head(_ status: Int, _ fields: [String: String] = [:]) -> ResponseHead {
    ResponseHead(status: status, fields: fields.map { HeaderField($0, $1) })
}
