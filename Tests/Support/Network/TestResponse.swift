import NIOCore
import NIOHTTP1

/// A response as it stood on the wire.
package struct TestResponse: Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    package let body: [UInt8]
    /// Whether the body has the length that the head promised, or its last chunk.
    package let isComplete: Bool

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// Reads everything that one `Connection: close` exchange gave; `nil` when there is no whole head.
    init?(_ received: ByteBuffer, toHead isHead: Bool) {
        let bytes = received.readableBytesView
        guard let end = Self.endOfHead(bytes) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, let status = first.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        var headers = HTTPHeaders()
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers.add(name: String(parts[0]), value: String(parts[1].drop { $0 == " " }))
        }
        self.status = status
        self.headers = headers
        let rest = Array(bytes[end...])
        if headers["transfer-encoding"].contains("chunked") {
            (body, isComplete) = Self.joinChunks(rest)
        } else {
            body = rest
            let length = headers.first(name: "content-length").flatMap { Int($0) }
            isComplete = isHead || length.map { $0 == rest.count } ?? true
        }
    }

    /// The index after the empty line, or `nil` when it has not come.
    static func endOfHead(_ bytes: ByteBufferView) -> Int? {
        var matched = 0
        let pattern = Array("\r\n\r\n".utf8)
        for index in bytes.indices {
            matched = bytes[index] == pattern[matched] ? matched + 1 : (bytes[index] == pattern[0] ? 1 : 0)
            if matched == pattern.count { return index + 1 }
        }
        return nil
    }

    private static func joinChunks(_ bytes: [UInt8]) -> (body: [UInt8], isComplete: Bool) {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let lineEnd = rest.firstIndex(of: 0x0a) {
            let size = String(decoding: rest[..<lineEnd], as: UTF8.self).trimmedSuffix
            guard let count = Int(size, radix: 16) else { return (body, false) }
            if count == 0 { return (body, true) }
            let start = lineEnd + 1
            guard start + count <= rest.endIndex else { return (body + rest[start...], false) }
            body += rest[start..<start + count]
            rest = rest[min(start + count + 2, rest.endIndex)...]
        }
        return (body, false)
    }
}

extension TestResponse: CustomStringConvertible {
    /// The head and the beginning of the body: what a failed expectation prints.
    package var description: String {
        "\(status) \(headers) \(body.count) B\(isComplete ? "" : " (incomplete)"): \(text.prefix(300))"
    }
}

extension String {
    fileprivate var trimmedSuffix: Substring { prefix { $0.isHexDigit } }
}
