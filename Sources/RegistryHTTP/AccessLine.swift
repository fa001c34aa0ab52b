/// One line of the access log, as it is put together: `name=value` pairs, or an object of JSON.
///
/// Names come in alphabetical order, as in the other log. The memory is used again for the next line.
struct AccessLine {
    private var bytes: [UInt8] = []
    private var isJSON = false
    private var isFirst = true

    mutating func begin(_ format: RegistryServer.AccessLogOutput.Format) {
        bytes.removeAll(keepingCapacity: true)
        isJSON = format == .json
        isFirst = true
        if isJSON { bytes.append(UInt8(ascii: "{")) }
    }

    /// What comes before the pairs where it is text, after the time.
    mutating func beginText() {
        append(" info request")
        isFirst = false
    }

    /// Adds a value that is known to need no quotes and no escapes.
    mutating func add(_ name: String, _ value: String) {
        begin(name)
        append(value)
        end()
    }

    mutating func add(_ name: String, _ value: Int) {
        add(name, String(value))
    }

    /// Adds a value that `append` writes, of which the same is known.
    mutating func add(_ name: String, _ append: (inout Self) -> Void) {
        begin(name)
        append(&self)
        end()
    }

    /// Appends milliseconds, with three digits below them.
    mutating func append(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let microseconds = Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
        append(String(microseconds / 1000))
        let rest = microseconds % 1000
        bytes.append(UInt8(ascii: "."))
        bytes.append(UInt8(ascii: "0") + UInt8(rest / 100))
        bytes.append(UInt8(ascii: "0") + UInt8(rest / 10 % 10))
        bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
    }

    /// Adds a value that a client chose, out of visible ASCII characters.
    mutating func add(_ name: String, fromOutside value: Substring) {
        begin(name)
        let quote = UInt8(ascii: "\"")
        let escape = UInt8(ascii: "\\")
        let isPlain = !value.utf8.contains { $0 == quote || isJSON && $0 == escape }
        if isPlain {
            bytes.append(contentsOf: value.utf8)
        } else {
            if !isJSON { bytes.append(quote) }
            for byte in value.utf8 {
                if byte == quote || isJSON && byte == escape { bytes.append(escape) }
                bytes.append(byte)
            }
            if !isJSON { bytes.append(quote) }
        }
        end()
    }

    mutating func append(timeOf clock: LoopClock) {
        clock.appendTimestamp(to: &bytes)
    }

    mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// Begins one whose beginning comes from another.
    mutating func beginAgain(_ format: RegistryServer.AccessLogOutput.Format) {
        bytes.removeAll(keepingCapacity: true)
        isJSON = format == .json
        isFirst = false
    }

    /// Appends what ``cut()`` has given.
    mutating func append(_ part: [UInt8]) {
        bytes.append(contentsOf: part)
    }

    /// Takes out what is there so far.
    mutating func cut() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    /// The whole line, with its end.
    mutating func ended() -> [UInt8] {
        if isJSON { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private mutating func begin(_ name: String) {
        if !isFirst { bytes.append(isJSON ? UInt8(ascii: ",") : UInt8(ascii: " ")) }
        isFirst = false
        if isJSON { bytes.append(UInt8(ascii: "\"")) }
        append(name)
        append(isJSON ? "\":\"" : "=")
    }

    private mutating func end() {
        if isJSON { bytes.append(UInt8(ascii: "\"")) }
    }
}
