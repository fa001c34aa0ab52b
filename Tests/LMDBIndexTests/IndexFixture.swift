import LMDBIndex
import Locking
import Logging
import MirrorCore
import MirrorTesting
import OCI

/// An index in a directory of its own, and what it logged.
struct IndexFixture {
    let directory: TemporaryDirectory
    let log = CollectedLog()

    init() throws {
        directory = try TemporaryDirectory("index")
    }

    var path: String { directory.path("index") }

    /// Uses are written when it is closed, unless told otherwise.
    func open(mapSize: Int = 16 << 20, foldInterval: Duration = .seconds(3600)) throws -> LMDBCacheIndex {
        try LMDBCacheIndex(
            directory: path,
            options: .init(mapSize: mapSize, foldInterval: foldInterval),
            logger: log.logger
        )
    }

    static let repository = repository("library/nginx")

    static func repository(_ name: String, upstream: String = "docker.io") -> Repository {
        Repository(upstream: UpstreamName(upstream), name: literal(try RepositoryName(name)))
    }

    static func digest(_ number: Int) -> Digest {
        let hex = String(number, radix: 16)
        return literal(try Digest("sha256:" + String(repeating: "0", count: 64 - hex.count) + hex))
    }

    static func tag(_ text: String) -> OCI.Tag { literal(try OCI.Tag(text)) }

    static func tagRecord(_ number: Int, checkedAt milliseconds: Int64 = 1000) -> TagRecord {
        TagRecord(
            digest: digest(number),
            mediaType: MediaType.ociIndex,
            size: number,
            checkedAt: WallTime(milliseconds: milliseconds)
        )
    }
}

/// Keeps what is logged.
final class CollectedLog: Sendable {
    private let lines = Locked<[String]>([])

    var messages: [String] { lines.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: CollectedLog
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        init(log: CollectedLog) {
            self.log = log
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.lines.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }
}

/// A value that the test itself wrote down, and that is therefore right.
func literal<Value>(_ make: @autoclosure () throws -> Value) -> Value {
    do {
        return try make()
    } catch {
        preconditionFailure("the test is wrong: \(error)")
    }
}
