/// What one client's own fetch of a blob has brought, and what the client may be given of it.
///
///     coming ──completed──▶ complete
///        └─────failed─────▶ failed
///
/// It is pure: ``Passage`` holds it behind a lock. The numbered rules are cited by the tests.
///
/// 1. At most ``capacity`` bytes are held, those that the client is being sent included; except that what is needed to give
///    it anything at all is always taken.
/// 2. An answer that reaches the blob's last byte is not given the last ``FlightState/heldBack`` bytes before the digest
///    matched.
/// 3. What lies before or behind the client's range is not held: it is for the digest only.
/// 4. A failure ends the answer at once, unless all of it has been given.
struct PassageState {
    /// With what libcurl holds back and reads at once, a client costs 1 MiB at most.
    static let capacity = 768 << 10

    enum Phase {
        case coming
        /// All has come, and what had to be verified was.
        case complete
        case failed(MirrorError)
    }

    /// What is to be done for the client next.
    enum Step {
        case file(Range<Int>)
        case bytes([UInt8])
        case wait
        case finished
        case failed(MirrorError)
    }

    private(set) var phase = Phase.coming
    /// The length of the blob, once something told it.
    private(set) var length: Int?
    /// The next byte that the upstream is to send.
    private(set) var received: Int
    /// Whether the answer reaches the blob's last byte, so that all of the blob has to be hashed.
    let reachesEnd: Bool
    private let end: Int
    /// Up to here the client is sent a file that is there.
    private let fileEnd: Int
    /// The next byte for the client.
    private var offset: Int
    /// What has come from ``bufferStart`` on.
    private var buffer: [UInt8] = []
    private var bufferStart: Int
    private var bytesInHand = 0

    /// Goes on for a client that wants `range` and has all of it before `offset`.
    ///
    /// `fileEnd` is how much of the blob is in a file, from its start.
    init(range: Range<Int>, from offset: Int, length: Int?, fileEnd: Int = 0) {
        self.length = length
        self.offset = offset
        self.fileEnd = fileEnd
        end = range.upperBound
        reachesEnd = length.map { range.upperBound >= $0 } ?? true
        bufferStart = max(offset, fileEnd)
        received = reachesEnd ? fileEnd : bufferStart
    }

    // MARK: - Events

    /// Whether all that is wanted of the upstream has come.
    var hasAll: Bool {
        reachesEnd ? length.map { received >= $0 } ?? false : received >= end
    }

    /// The upstream told the length, or has come to the end.
    mutating func learned(length: Int) {
        if self.length == nil { self.length = length }
    }

    /// Whether so many bytes would be taken now.
    func hasRoom(for count: Int) -> Bool {
        let kept = kept(of: count).count
        return kept == 0 || buffer.count + bytesInHand + kept <= Self.capacity
            || bytesInHand == 0 && offset >= givenLimit
    }

    /// Whether so much has been taken from it that a transfer which rests is to go on.
    var isLow: Bool { buffer.count + bytesInHand <= Self.capacity / 2 }

    /// Whether the client could be given something, or told the end.
    var hasNews: Bool {
        guard case .coming = phase else { return true }
        return offset < givenLimit || isDone
    }

    mutating func take(_ bytes: Span<UInt8>) {
        for index in kept(of: bytes.count) { buffer.append(bytes[index]) }
        received += bytes.count
    }

    /// Which of the next `count` bytes are to be held.
    private func kept(of count: Int) -> Range<Int> {
        let start = min(max(0, bufferStart + buffer.count - received), count)
        return start..<max(start, min(count, wantedEnd - received))
    }

    /// All has come, and the digest matched where that had to be seen.
    mutating func completed() {
        phase = .complete
    }

    mutating func failed(_ error: MirrorError) {
        phase = .failed(error)
    }

    // MARK: - The client

    /// What to do next; what was given before has been sent by then.
    mutating func next() -> Step {
        bytesInHand = 0
        if isDone { return .finished }
        if case .failed(let error) = phase { return .failed(error) }
        let limit = givenLimit
        guard offset < limit else { return .wait }
        defer { offset = max(offset, min(limit, offset < fileEnd ? fileEnd : limit)) }
        return offset < fileEnd ? .file(offset..<min(limit, fileEnd)) : .bytes(give(limit - offset))
    }

    /// Whether all file bytes have been sent.
    var isPastFile: Bool { offset >= fileEnd }

    private mutating func give(_ count: Int) -> [UInt8] {
        bytesInHand = count
        bufferStart += count
        if count == buffer.count { return buffer.take() }
        defer { buffer.removeFirst(count) }
        return Array(buffer.prefix(count))
    }

    private var wantedEnd: Int { min(end, length ?? .max) }

    /// Up to where the client may be given what is here.
    private var givenLimit: Int {
        var limit = min(received, wantedEnd)
        if reachesEnd, case .coming = phase { limit = min(limit, (length ?? received) - FlightState.heldBack) }
        return limit
    }

    private var isDone: Bool {
        guard reachesEnd else { return offset >= end }
        guard case .complete = phase else { return false }
        return offset >= wantedEnd
    }
}

extension [UInt8] {
    /// Takes everything out.
    fileprivate mutating func take() -> Self {
        defer { self = [] }
        return self
    }
}
