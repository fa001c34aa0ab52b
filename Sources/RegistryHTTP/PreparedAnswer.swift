package import MirrorCore
package import NIOCore
package import NIOHTTP1
import OCI

/// A hit that can be sent again as it is, but for the last lines of its head.
package final class PreparedAnswer: Sendable {
    /// For how long the registry would answer the same.
    package struct Validity: Sendable {
        var revision: Int
        var end: NIODeadline

        package init(revision: Int, end: NIODeadline) {
            self.revision = revision
            self.end = end
        }

        func holds(at revision: Int, _ now: NIODeadline) -> Bool { self.revision == revision && now < end }
    }

    /// What is sent after the head.
    enum Body {
        case bytes(ByteBuffer, Validity)
        /// The blob's file, of that size, which the registry is asked for each time. For the express lane only.
        case file(Int)

        var size: Int {
            switch self {
            case .bytes(let bytes, _): bytes.readableBytes
            case .file(let size): size
            }
        }
    }

    /// What is noted of each request but for who asks and when.
    let record: AccessRecord
    /// What the head names as its content.
    let content: Digest?
    /// The line of the access log, if there is one.
    let line: AccessLog.PreparedLine?
    /// The status line and the header lines that stay.
    private let head: ByteBuffer
    let body: Body
    private let requests: Counter
    private let sentBytes: Counter
    private let seconds: Histogram.Series

    /// Takes what the exchange was answered with; the body is empty for a HEAD.
    package convenience init(
        _ head: ResponseHead,
        _ body: ByteBuffer,
        _ record: AccessRecord,
        line: AccessLog.PreparedLine?,
        method: HTTPMethod,
        validity: Validity,
        metrics: Metrics
    ) {
        self.init(head, .bytes(body, validity), record, line: line, method: method, metrics: metrics)
    }

    init(
        _ head: ResponseHead,
        _ body: Body,
        _ record: AccessRecord,
        line: AccessLog.PreparedLine?,
        method: HTTPMethod,
        metrics: Metrics
    ) {
        self.record = record
        content = head.content
        self.line = line
        self.body = body
        var bytes = ByteBuffer()
        head.write(to: &bytes, version: .http1_1)
        self.head = bytes
        requests = metrics.requests(record, method)
        sentBytes = metrics.counter(of: .sentBytes, record.cacheLabel)
        seconds = metrics.requestSeconds.series(record.kind.rawValue, record.cacheLabel)
    }

    private init(renewing old: PreparedAnswer, with body: Body) {
        self.body = body
        (record, content, line, head) = (old.record, old.content, old.line, old.head)
        (requests, sentBytes, seconds) = (old.requests, old.sentBytes, old.seconds)
    }

    /// The memory that it takes, roughly, in bytes.
    var cost: Int { bytesInMemory + (line?.cost ?? 0) + 512 }
    /// The most bytes of it that do not come out of a file.
    var largestSize: Int { bytesInMemory + ResponseEnd.capacity }

    private var bytesInMemory: Int {
        switch body {
        case .bytes(let bytes, _): head.readableBytes + bytes.readableBytes
        case .file: head.readableBytes
        }
    }

    /// This answer while it holds; after that the same with what the registry has now, if it is about a blob.
    ///
    /// What was read of a file is nobody's promise: it is read again, since the file may have been found bad and replaced.
    /// Whoever asks gets what anybody was answered: a rule by caller would have to be part of what answers are kept under
    /// (ADR 19).
    func current(
        in registry: any Registry,
        _ files: FileAccess,
        for caller: Caller,
        at now: NIODeadline
    ) -> PreparedAnswer? {
        guard case .bytes(let old, let validity) = body else { return nil }
        // Read before the answer: what changes meanwhile must not look like what it was.
        let revision = registry.revision
        if validity.holds(at: revision, now) { return self }
        guard let file = file(in: registry, for: caller) else { return nil }
        var bytes = old
        // None is the body of a HEAD.
        if old.readableBytes > 0 {
            guard file.size == old.readableBytes,
                let read = files.contentsAtHand(0..<file.size, of: file, allocator: ByteBufferAllocator())
            else { return nil }
            bytes = read
        }
        let renewed = Validity(revision: revision, end: now + OpenBlobs.time)
        return PreparedAnswer(renewing: self, with: .bytes(bytes, renewed))
    }

    /// The blob that it is about, if the registry still has it; `nil` for other content.
    func file(in registry: any Registry, for caller: Caller) -> (any StoredFile)? {
        guard record.kind == .blob, let content, let repository = record.repository else { return nil }
        return registry.cachedBlob(content, in: repository, for: caller)
    }

    /// The response: in one piece, or with its body in a second.
    package func pieces(ending end: ResponseEnd, _ allocator: ByteBufferAllocator) -> (ByteBuffer, ByteBuffer?) {
        guard case .bytes(let body, _) = body, body.readableBytes > Exchange.longestCopy else {
            var bytes = allocator.buffer(capacity: largestSize)
            write(to: &bytes, ending: end)
            return (bytes, nil)
        }
        var bytes = allocator.buffer(capacity: head.readableBytes + ResponseEnd.capacity)
        bytes.writeImmutableBuffer(head)
        end.write(to: &bytes)
        return (bytes, body)
    }

    /// Appends the response as far as it is no file.
    func write(to buffer: inout ByteBuffer, ending end: ResponseEnd) {
        buffer.writeImmutableBuffer(head)
        end.write(to: &buffer)
        if case .bytes(let body, _) = body { buffer.writeImmutableBuffer(body) }
    }

    /// Counts one request that was answered with it.
    func count(_ duration: Duration) {
        requests.add()
        if body.size > 0 { sentBytes.add(body.size) }
        seconds.observe(duration)
    }
}

/// Hits that can be sent again as they are, by target: what is asked for most is asked again soon.
///
/// A hit answered so costs one look into a dictionary, and neither the index nor the file system; it stays true while
/// nothing was committed to the index, and within its time. After that a blob's is looked up and read again, and no more than
/// that. Bounded. Each event loop has its own, and the express lane has one that all of them fill (``ExpressAnswers``).
package final class PreparedAnswers {
    private var gets: [String: PreparedAnswer] = [:]
    private var heads: [String: PreparedAnswer] = [:]
    private var cost = 0

    /// So much memory they may take.
    private let mostBytes: Int
    /// A larger body is not worth keeping: sending it is what costs.
    static let largestBody = 64 << 10

    package init(mostBytes: Int = 2 << 20) {
        self.mostBytes = mostBytes
    }

    /// The answer to a request that asks for nothing special, if it holds or not.
    package func answer(to method: HTTPMethod, _ target: String) -> PreparedAnswer? {
        method == .GET ? gets[target] : heads[target]
    }

    package func keep(_ answer: PreparedAnswer, for method: HTTPMethod, _ target: String) {
        let old =
            method == .GET ? gets.updateValue(answer, forKey: target) : heads.updateValue(answer, forKey: target)
        cost += answer.cost - (old?.cost ?? 0)
        guard cost > mostBytes else { return }
        // What is asked for often is back as soon as an event loop prepares it again, within the second that answers hold.
        gets.removeAll(keepingCapacity: true)
        heads.removeAll(keepingCapacity: true)
        cost = 0
    }
}
