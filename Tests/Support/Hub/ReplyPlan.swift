import NIOCore
import NIOHTTP1

/// How an answer is sent: the reply with its faults worked in.
struct ReplyPlan: Sendable {
    var reply: HubReply
    let isHead: Bool
    var headBarrier: Barrier?
    /// Bytes of the body after which it is held, and by what.
    var stall: (after: Int, until: Barrier)?
    var cutAfter: Int?
    var isReset = false
    var bytesPerSecond: Int?
    /// An offset within the content.
    var corruptAt: Int?
    private var isChunked = false
    private var claimedLength: Int?
    private var removedHeaders: [String] = []
    private var addedHeaders: [(String, String)] = []

    init(_ reply: HubReply, to method: HTTPMethod, faults: [Fault]) {
        self.reply = reply
        isHead = method == .HEAD
        for fault in faults { apply(fault) }
    }

    private mutating func apply(_ fault: Fault) {
        switch fault {
        case .respond(let status, let headers, let body):
            reply = HubReply(status, headers, content: body.isEmpty ? nil : Content(body))
        case .delay(let barrier): headBarrier = barrier
        case .stall(let after, let barrier): stall = (after, barrier)
        case .cut(let after): cutAfter = after
        case .reset: isReset = true
        case .slow(let rate): bytesPerSecond = rate
        case .corrupt(let offset): corruptAt = offset
        case .chunked: isChunked = true
        case .without(let header): removedHeaders.append(header)
        case .with(let header, let value): addedHeaders.append((header, value))
        case .claimLength(let length): claimedLength = length
        case .ignoreRange:
            guard reply.range != nil else { return }
            reply.range = nil
            reply.status = .ok
            reply.headers.remove(name: "content-range")
        }
    }

    var head: HTTPResponseHead {
        var headers = reply.headers
        if isChunked {
            headers.replaceOrAdd(name: "transfer-encoding", value: "chunked")
        } else {
            headers.replaceOrAdd(name: "content-length", value: "\(claimedLength ?? reply.bodyRange.count)")
        }
        for (name, value) in addedHeaders { headers.replaceOrAdd(name: name, value: value) }
        for name in removedHeaders { headers.remove(name: name) }
        return HTTPResponseHead(version: .http1_1, status: reply.status, headers: headers)
    }

    /// The part of the content that goes out before the connection ends.
    var bodyRange: Range<Int> {
        guard !isHead else { return 0..<0 }
        let range = reply.bodyRange
        guard let cutAfter else { return range }
        return range.lowerBound..<min(range.upperBound, range.lowerBound + cutAfter)
    }

    /// The next piece from `offset` (within the content) on, with the wrong byte worked in.
    func piece(at offset: Int, limit: Int) -> ByteBuffer {
        var piece = reply.content?.slice(at: offset, limit: limit) ?? ByteBuffer()
        guard let corruptAt, corruptAt >= offset, corruptAt < offset + piece.readableBytes else { return piece }
        let index = piece.readerIndex + corruptAt - offset
        let byte = piece.getInteger(at: index, as: UInt8.self) ?? 0
        piece.setInteger(byte ^ 0xff, at: index)
        return piece
    }
}
