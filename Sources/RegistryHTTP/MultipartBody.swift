import NIOCore
import OCI

/// Several ranges of a file as one `multipart/byteranges` body (RFC 9110, 14.6).
struct MultipartBody {
    let contentType: String
    /// The length of the body, delimiters included.
    let length: Int
    let segments: [FileSender.Segment]

    init(_ ranges: [Range<Int>], of size: Int, allocator: ByteBufferAllocator) {
        // Random, so that no blob can hold it on purpose.
        let boundary = "tidepool-" + String(UInt64.random(in: .min ... .max), radix: 16)
        var segments: [FileSender.Segment] = []
        var length = 0
        func append(_ text: String) {
            segments.append(.bytes(allocator.buffer(string: text)))
            length += text.utf8.count
        }
        for range in ranges {
            append(
                "\r\n--\(boundary)\r\nContent-Type: \(MediaType.octetStream)\r\n"
                    + "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)\r\n\r\n"
            )
            segments.append(.file(range))
            length += range.count
        }
        append("\r\n--\(boundary)--\r\n")
        contentType = "multipart/byteranges; boundary=\(boundary)"
        self.length = length
        self.segments = segments
    }
}
