import MirrorCore
package import NIOCore
package import NIOHTTP1
package import OCI

/// A response's status and headers, as they are put together: in the bytes that will be sent.
package struct ResponseHead {
    let status: HTTPResponseStatus
    /// The header lines, each with its end.
    private(set) var lines: [UInt8] = []
    /// What is sent, where it has a digest.
    private(set) var content: Digest?
    /// Whether the body is sent in chunks, since its length is not known (RFC 9112, 7.1).
    private(set) var isChunked = false
    /// Whether it tells already how the registry came to the answer.
    var isDescribed = false

    package init(_ status: HTTPResponseStatus) {
        self.status = status
        lines.reserveCapacity(512)
    }

    package init(_ status: HTTPResponseStatus, contentType: String, contentLength: Int?) {
        self.init(status)
        add("Content-Type", contentType)
        if let contentLength { add("Content-Length", "\(contentLength)") }
    }

    /// The same lines for another status, and a body of that length.
    func with(_ status: HTTPResponseStatus, contentLength: Int?) -> ResponseHead {
        var head = ResponseHead(status)
        (head.content, head.isDescribed) = (content, isDescribed)
        head.lines.append(contentsOf: lines)
        if let contentLength { head.add("Content-Length", "\(contentLength)") }
        return head
    }

    /// Adds a header, whose value may come from outside: one that could break out of its line is left away.
    package mutating func add(_ name: String, _ value: String) {
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return }
        lines.append(contentsOf: name.utf8)
        lines.append(contentsOf: [UInt8(ascii: ":"), UInt8(ascii: " ")])
        lines.append(contentsOf: value.utf8)
        lines.append(contentsOf: [UInt8(ascii: "\r"), UInt8(ascii: "\n")])
    }

    /// What names content: its digest, and that it never changes under that name.
    package mutating func describe(_ digest: Digest) {
        content = digest
        let text = digest.description
        add("Docker-Content-Digest", text)
        add("ETag", "\"\(text)\"")
    }

    /// For content that was asked for by its digest.
    package mutating func markImmutable() {
        add("Cache-Control", "public, max-age=31536000, immutable")
    }

    /// For a body whose length is not known; HTTP/1.0 has no such thing.
    mutating func sendInChunks() {
        isChunked = true
        add("Transfer-Encoding", "chunked")
    }

    /// Writes the status line and the lines so far; more may follow, and then an empty line.
    package func write(to buffer: inout ByteBuffer, version: HTTPVersion) {
        buffer.writeString(version == .http1_0 ? "HTTP/1.0 " : "HTTP/1.1 ")
        buffer.writeString("\(status.code)")
        buffer.writeString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeString("\r\n")
        buffer.writeBytes(lines)
    }
}

extension HTTPHeaders {
    /// Whether the client holds this content already (`If-None-Match`).
    ///
    /// Clients send the digest quoted, weak, or bare.
    func nameAsHeld(_ digest: Digest) -> Bool {
        guard contains(name: "if-none-match") else { return false }
        let text = digest.description
        return self[canonicalForm: "if-none-match"]
            .contains { tag in
                tag == "*" || tag == text || tag == "\"\(text)\"" || tag == "W/\"\(text)\""
            }
    }

    /// The part of a body that is asked for; a range for another version of it (`If-Range`) asks for all of it.
    func range(of digest: Digest) -> ByteRange? {
        let values = self["range"]
        guard values.count == 1, let range = ByteRange(values[0]) else { return nil }
        if let condition = first(name: "if-range"), condition != "\"\(digest)\"" { return nil }
        return range
    }
}
