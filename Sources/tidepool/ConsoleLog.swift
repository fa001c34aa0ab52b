import Foundation
import Locking
import Logging
import Posix
import Settings

/// Writes log lines to stderr on a thread of its own, so that a full pipe never stalls an event loop.
///
/// Bounded: lines that come while ``capacity`` of them wait are dropped, and counted in the next line that goes out.
final class LogWriter: Sendable {
    private static let capacity = 10_000

    private let mailbox = Mailbox<String>()
    private let waiting = Locked((count: 0, dropped: 0))
    private let thread: DedicatedThread

    init() {
        let mailbox = mailbox
        let waiting = waiting
        thread = DedicatedThread(name: "log") {
            while let lines = mailbox.take(upTo: 1000) {
                let dropped = waiting.withLock { waiting in
                    defer { waiting.dropped = 0 }
                    waiting.count -= lines.count
                    return waiting.dropped
                }
                let note = dropped > 0 ? ["(\(dropped) log lines were dropped)"] : []
                Console.problem((lines + note).joined(separator: "\n"))
            }
        }
    }

    func write(_ line: String) {
        let isTaken = waiting.withLock { waiting in
            guard waiting.count < Self.capacity else {
                waiting.dropped += 1
                return false
            }
            waiting.count += 1
            return true
        }
        if isTaken { _ = mailbox.post(line) }
    }

    /// Writes what waits, and ends the thread.
    func close() {
        mailbox.close()
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
