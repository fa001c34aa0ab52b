import Glibc
import Locking
import Logging
import MirrorCore
import Posix
import Testing

/// All bytes of a file of a store, as a reader gets them.
func contents(_ file: (any StoredFile)?) throws -> [UInt8] {
    let file = try #require(file)
    var bytes = [UInt8](repeating: 0, count: file.size + 1)
    let count = pread(file.descriptor, &bytes, bytes.count, 0)
    try #require(count >= 0)
    return Array(bytes[..<count])
}

/// Gives a file this content.
func write(_ bytes: [UInt8], to path: String) throws {
    let file = try FileDescriptor.open(path, .openOrCreate)
    try file.truncate(to: 0)
    try file.write(bytes.span, at: 0)
}

extension Spool {
    /// For literals and slices, whose spans do not outlive the expression.
    func append(_ bytes: some Sequence<UInt8>) throws(StoreError) {
        let bytes = Array(bytes)
        try append(bytes.span)
    }
}

/// A clock on which a sleep takes no time but its own.
final class RecordingClock: Sendable {
    private let total = Locked(Duration.zero)

    var slept: Duration { total.withLock { $0 } }

    var timekeeper: Timekeeper {
        Timekeeper(
            wall: { WallTime(milliseconds: 0) },
            monotonic: { self.slept },
            sleep: { duration in self.total.withLock { $0 += duration } }
        )
    }
}

/// Keeps what is logged, with its metadata.
final class CollectedLog: Sendable {
    private let lines = Locked<[(message: String, metadata: [String: String])]>([])

    var messages: [String] { lines.withLock { $0.map(\.message) } }
    var metadata: [[String: String]] { lines.withLock { $0.map(\.metadata) } }

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
            let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
            log.lines.withLock { $0.append((event.message.description, metadata)) }
        }
    }
}
