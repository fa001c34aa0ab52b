import NIOHTTP1

/// The head of a request that the express lane may answer: one whole plain read, after which the connection ends.
///
/// Knows one way to write it (RFC 9112, without what a recipient may tolerate): what is odd in any way, right or wrong, is for
/// the decoder to judge, and is none here. So there is nothing that the two could read differently.
struct ExpressHead {
    /// GET or HEAD.
    let method: HTTPMethod
    /// In origin form.
    let target: ArraySlice<UInt8>
    /// The value of the first `X-Request-Id`.
    let requestID: ArraySlice<UInt8>?

    /// Reads `bytes` if they are such a head from the first to the last.
    init?(_ bytes: ArraySlice<UInt8>, _ limits: RegistryServer.Limits) {
        var reader = HeadReader(bytes)
        guard bytes.count <= limits.headerBytes,
            let method = reader.takeMethod(),
            let target = reader.takeTarget(), target.count <= limits.uriBytes,
            reader.skip(" HTTP/1.1\r\n")
        else { return nil }
        var traits = RequestTraits()
        var requestID: ArraySlice<UInt8>?
        var count = 0
        while !reader.skip("\r\n") {
            count += 1
            guard count <= limits.headerCount, let (name, value) = reader.takeField() else { return nil }
            guard let header = RequestTraits.Header(name) else { continue }
            if header == .requestID, !traits.hasRequestID { requestID = value }
            if header == .connection, !Self.isClose(value) { return nil }
            traits.note(header)
        }
        guard reader.isAtEnd, traits.isPlain, traits.connections == 1 else { return nil }
        self.method = method
        self.target = target
        self.requestID = requestID
    }

    private static func isClose(_ value: ArraySlice<UInt8>) -> Bool {
        value.count == 5 && zip(value, "close".utf8).allSatisfy { $0 | 0x20 == $1 }
    }
}

/// Takes a head apart from its start; what is not as it should be is not taken.
private struct HeadReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// Goes over these bytes if they are what comes next.
    mutating func skip(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    mutating func takeMethod() -> HTTPMethod? {
        if skip("GET ") { return .GET }
        return skip("HEAD ") ? .HEAD : nil
    }

    mutating func takeTarget() -> ArraySlice<UInt8>? {
        guard rest.first == UInt8(ascii: "/") else { return nil }
        return take { (0x21...0x7e).contains($0) }
    }

    /// Takes a header line with its end.
    mutating func takeField() -> (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)? {
        let name = take(while: Self.isTokenByte)
        guard !name.isEmpty, skip(":") else { return nil }
        let value = take { (0x20...0x7e).contains($0) || $0 == UInt8(ascii: "\t") }
        return skip("\r\n") ? (name, Self.trimmed(value)) : nil
    }

    private mutating func take(while isPart: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let end = rest.firstIndex { !isPart($0) } ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    private static func trimmed(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let start = value.drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return start }
        return start[...last]
    }

    /// `tchar` of RFC 9110, 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^")...UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
