/// One header field, its name spelled as it came.
package struct HeaderField: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// Whether it can be sent: no character in it ends the line.
    var isSendable: Bool {
        !name.isEmpty && (name + value).utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }
}

/// The head of a response: what there is before its body.
package struct ResponseHead: Hashable, Sendable {
    package var status: Int
    /// All fields, in the order they came; one that was sent twice is here twice.
    package var fields: [HeaderField]
    /// What kind of address answered: the proxy's, where one is in use.
    package var peer: AddressClass?

    package init(status: Int, fields: [HeaderField], peer: AddressClass? = nil) {
        self.status = status
        self.fields = fields
        self.peer = peer
    }

    /// The value of the first field of that name, whatever its case.
    package subscript(name: String) -> String? {
        fields.first { $0.name.isSameFieldName(as: name) }?.value
    }

    /// The values of all fields of that name, whatever its case.
    package func all(_ name: String) -> [String] {
        fields.filter { $0.name.isSameFieldName(as: name) }.map(\.value)
    }
}

/// Assembles a response head from the lines that libcurl hands out.
///
/// Interim responses (1xx) are dropped, and so are trailers: they come after the head.
struct HeadParser {
    private var status: Int?
    private var fields: [HeaderField] = []
    private(set) var byteCount = 0
    private(set) var isComplete = false

    /// Takes a line with its ending; returns the head when this line ends it.
    mutating func add(_ line: some Collection<UInt8>) -> ResponseHead? {
        byteCount += line.count
        guard !isComplete else { return nil }
        let text = String(decoding: line, as: UTF8.self).trimmed
        if text.isEmpty { return end() }
        if text.hasPrefix("HTTP/") {
            status = Self.status(of: text)
            fields = []
        } else if let colon = text.firstIndex(of: ":") {
            let value = String(text[text.index(after: colon)...]).trimmed
            fields.append(HeaderField(String(text[..<colon]).trimmed, value))
        }
        return nil
    }

    private mutating func end() -> ResponseHead? {
        guard let status, status >= 200 else { return nil }
        isComplete = true
        return ResponseHead(status: status, fields: fields)
    }

    /// The code in `HTTP/1.1 200 OK` or `HTTP/2 200`.
    private static func status(of line: String) -> Int? {
        let parts = line.split(separator: " ", maxSplits: 2)
        return parts.count > 1 ? Int(parts[1]) : nil
    }
}

extension String {
    /// Without spaces, tabs and line ends around it.
    fileprivate var trimmed: String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d || $0 == 0x0a }
        guard let first = utf8.firstIndex(where: { !isSpace($0) }), let last = utf8.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(self[first...last])
    }

    fileprivate func isSameFieldName(as other: String) -> Bool {
        utf8.count == other.utf8.count && lowercased() == other.lowercased()
    }
}
