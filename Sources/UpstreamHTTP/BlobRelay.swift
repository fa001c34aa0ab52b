import Curl
import Locking
import MirrorCore

/// Hands a blob's body on, and sees that it has the length that its head promised.
///
/// Used on the transfer thread, and read after it is done.
final class BlobRelay: Sendable {
    private let sink: any BlobSink
    private let head: BlobHead
    private let received = Locked(0)

    /// Reads the head of an answer to a request for everything from `offset` on.
    init(to sink: any BlobSink, head: ResponseHead, askedFrom offset: Int) throws(UpstreamError) {
        self.sink = sink
        switch head.status {
        case 200: self.head = BlobHead(offset: 0, length: head.contentLength)
        case 206:
            guard let range = head["Content-Range"].flatMap(ContentRange.init), range.start == offset else {
                throw .unusable("a range that was not asked for")
            }
            self.head = BlobHead(offset: offset, length: range.total)
        default: throw .unavailable(.status(head.status))
        }
    }

    func begin() -> Bool { sink.begin(head) }

    /// Hands the bytes on, and returns what the sink did with them.
    func receive(_ bytes: Span<UInt8>) throws(UpstreamError) -> BlobIntake {
        let total = received.withLock { $0 } + bytes.count
        if let length = head.length, head.offset + total > length {
            throw .unusable("a blob longer than its head said")
        }
        let intake = sink.receive(bytes)
        if case .taken = intake { received.withLock { $0 = total } }
        return intake
    }

    /// Checks that all of the blob has come: a server may send a part of the range that was asked for, and call it done.
    func checkLength() throws(UpstreamError) {
        guard let length = head.length, head.offset + received.withLock({ $0 }) < length else { return }
        throw .unavailable(.truncated)
    }
}

/// `bytes 200-1000/67589`, RFC 9110, 14.4.
struct ContentRange: Hashable, Sendable {
    var start: Int
    var end: Int
    /// `nil` for `*`.
    var total: Int?

    init?(_ text: String) {
        guard text.hasPrefixIgnoringCase("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/")
        guard parts.count == 2 else { return nil }
        let bounds = parts[0].split(separator: "-").compactMap { Int($0) }
        guard bounds.count == 2, 0 <= bounds[0], bounds[0] <= bounds[1],
            ResponseHead.believedLengths.contains(bounds[1])
        else { return nil }
        start = bounds[0]
        end = bounds[1]
        guard parts[1] != "*" else { return }
        guard let total = Int(parts[1]), total > end, ResponseHead.believedLengths.contains(total) else { return nil }
        self.total = total
    }
}
