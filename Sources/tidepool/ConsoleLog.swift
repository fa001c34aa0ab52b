import Foundation
import Locking
import Logging
import Posix
import RegistryHTTP
import Settings

/// Writes log lines to stderr on a thread of its own, so that a full pipe never stalls an event loop.
///
/// The thread writes what has come since it wrote last, and then rests for a moment: with many lines it is woken a few dozen
/// times a second, and not for each. Bounded: lines that come while ``capacity`` bytes wait are dropped, and counted in the
/// next that go out.
final class LogWriter: AccessLines {
    private struct Waiting {
        var bytes: [UInt8] = []
        var dropped = 0
    }

    private static let capacity = 4 << 20
    private static let rest = Duration.milliseconds(10)

    private let waiting = Locked(Waiting())
    /// Something waits that nothing has waited before.
    private let arrivals = Mailbox<Void>()
    private let thread: DedicatedThread

    init() {
        let (waiting, arrivals) = (waiting, arrivals)
        thread = DedicatedThread(name: "log") {
            while arrivals.take(upTo: .max) != nil {
                let (bytes, dropped) = waiting.withLock { waiting in
                    defer { waiting = Waiting() }
                    return (waiting.bytes, waiting.dropped)
                }
                Console.raw(bytes)
                if dropped > 0 { Console.problem("(\(dropped) log lines were dropped)") }
                DedicatedThread.sleep(for: Self.rest)
            }
        }
    }

    func write(_ line: [UInt8]) {
        let isFirst = waiting.withLock { waiting in
            guard waiting.bytes.count + line.count <= Self.capacity else {
                waiting.dropped += 1
                return false
            }
            waiting.bytes.append(contentsOf: line)
            return waiting.bytes.count == line.count
        }
        if isFirst { _ = arrivals.post(()) }
    }

    func write(_ line: String) {
        write(Array(line.utf8) + [UInt8(ascii: "\n")])
    }

    /// Writes what waits, and ends the thread.
    func close() {
        arrivals.close()
        thread.join()
    }
}

/// The log as people read it, or as JSON, one line an event.
struct ConsoleLogHandler: LogHandler {
    let label: String
    let format: LogSettings.Format
    let writer: LogWriter
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let own = event.metadata { fields.merge(own) { $1 } }
        let sorted = fields.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        switch format {
        case .text: writer.write(Self.text(time, event.level, "\(event.message)", sorted))
        case .json: writer.write(Self.json(time, event.level, "\(event.message)", sorted))
        }
    }

    private static func text(
        _ time: String,
        _ level: Logger.Level,
        _ message: String,
        _ fields: [(String, String)]
    ) -> String {
        let pairs = fields.map { " \($0)=\(quoted($1))" }
        return "\(time) \(level) \(escaped(message))\(pairs.joined())"
    }

    /// A value as it is, or in quotes when it would not read as one word.
    private static func quoted(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") }
        return isPlain ? value : "\"\(escaped(value).replacing("\"", with: "\\\""))\""
    }

    /// Control characters as escapes: a client cannot write lines of our log.
    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else { return text }
        return text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? $0.escaped(asASCII: true) : String($0) }
            .joined()
    }

    private static func json(
        _ time: String,
        _ level: Logger.Level,
        _ message: String,
        _ fields: [(String, String)]
    ) -> String {
        var line = ["time": time, "level": "\(level)", "message": message]
        line.merge(fields.map { ($0 == "time" || $0 == "level" || $0 == "message" ? "\($0)_" : $0, $1) }) { $1 }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = (try? encoder.encode(line)) ?? Data()
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Logger {
    /// Our logger, as the settings want the log.
    init(_ settings: LogSettings, to writer: LogWriter) {
        let level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
        self.init(label: "tidepool") { label in
            ConsoleLogHandler(label: label, format: settings.format, writer: writer, logLevel: level)
        }
    }
}
