import MirrorCore
import NIOHTTP1
import OCI

/// A response's status and headers, as they are put together.
struct ResponseHead {
    var status: HTTPResponseStatus
    var headers = HTTPHeaders()
    /// What is sent, where it has a digest.
    private(set) var content: Digest?

    init(_ status: HTTPResponseStatus) {
        self.status = status
    }

    init(_ status: HTTPResponseStatus, contentType: String, contentLength: Int?) {
        self.status = status
        headers.reserveCapacity(16)
        add("Content-Type", contentType)
        if let contentLength { add("Content-Length", "\(contentLength)") }
    }

    /// Adds a header, whose value may come from outside: one that could break out of its line is left away.
    mutating func add(_ name: String, _ value: String) {
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return }
        headers.add(name: name, value: value)
    }

    /// What names content: its digest, and that it never changes under that name.
    mutating func describe(_ digest: Digest) {
        content = digest
        let text = digest.description
        add("Docker-Content-Digest", text)
        add("ETag", "\"\(text)\"")
    }

    /// For content that was asked for by its digest.
    mutating func markImmutable() {
        add("Cache-Control", "public, max-age=31536000, immutable")
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
