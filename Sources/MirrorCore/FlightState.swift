/// The state of one fetch that many requests share.
///
///                 began                  verified
///     departing ─────────▶ streaming ─────────────────▶ verified
///         │                 │     ▲                        ▲
///         │        mismatch ▼     │ began (next file)    │
///         │              refetching ───────────────────────┘
///         │                 │
///         ├──── failed ─────┼──────────────▶ failed
///         └──── passed ─────┴──────────────▶ passed
///
/// It is pure: it takes an event, changes state, and says whom to wake. ``Flight`` holds it behind a lock, and acts after
/// the lock is released. The numbered rules are cited by the tests.
///
/// 1. A reader whose range reaches the blob's last byte is not given the last ``heldBack`` bytes before the digest matched.
/// 2. After a mismatch the blob comes once more, into another file. A reader that has been given bytes of an earlier one
///    goes on only when what it was given is the same in the last, which is known when that has been verified.
/// 3. Whoever waits is woken at the next change that can matter to it, and by the end at the latest.
struct FlightState {
    /// How much of a blob's end waits for the verification.
    static let heldBack = 16 << 10

    enum Phase {
        case departing
        /// Bytes are landing in the spool of this generation.
        case streaming
        /// The last file was wrong, and the next has not begun.
        case refetching
        case verified
        case failed(MirrorError)
        /// There is no room for it, and readers go on by themselves.
        case passed
    }

    private(set) var phase = Phase.departing
    /// The file that is read from: 0 is the first, and each mismatch begins another.
    private(set) var generation = 0
    /// Bytes in the spool of this generation.
    private(set) var received = 0
    /// The length of the blob, once something told it.
    private(set) var length: Int?
    /// Up to where each file that was wrong and the verified one are the same.
    private(set) var commonPrefixes: [Int] = []
    private(set) var file: (any StoredFile)?
    private var waiting: [@Sendable () -> Void] = []

    typealias Wakes = [@Sendable () -> Void]

    // MARK: - Events

    /// The first head of a generation came, and the spool is open; or one was taken up that has some bytes.
    mutating func began(file: any StoredFile, length: Int?, received count: Int = 0) -> Wakes {
        self.file = file
        if let length { self.length = length }
        received = count
        phase = .streaming
        return takeWaiting()
    }

    /// Something else told the length.
    mutating func learned(length: Int) {
        if self.length == nil { self.length = length }
    }

    mutating func received(bytes count: Int) {
        received += count
    }

    /// The file does not have the digest.
    mutating func mismatched() -> Wakes {
        generation += 1
        received = 0
        phase = .refetching
        return takeWaiting()
    }

    /// The digest matched.
    ///
    /// `commonPrefixes` compares with the files that were wrong, one for each.
    mutating func verified(commonPrefixes: [Int] = []) -> Wakes {
        length = received
        self.commonPrefixes = commonPrefixes
        phase = .verified
        return takeWaiting()
    }

    mutating func failed(_ error: MirrorError) -> Wakes {
        phase = .failed(error)
        return takeWaiting()
    }

    mutating func passed() -> Wakes {
        phase = .passed
        return takeWaiting()
    }

    /// Those who wait, to be called once the lock is released.
    mutating func takeWaiting() -> Wakes {
        defer { waiting = [] }
        return waiting
    }

    // MARK: - Readers

    /// What a reader has been given so far.
    struct Position {
        var range: Range<Int>
        /// The next byte that it wants.
        var offset: Int
        /// The file that its bytes came from.
        var generation: Int
    }

    /// What a reader does next; moves its position past what it may send.
    ///
    /// `nil` when it goes on by itself: it is then a reader of the present file, from its position on.
    mutating func next(for position: inout Position, wake: @escaping @Sendable () -> Void) -> ReadStep? {
        switch phase {
        case .departing, .refetching:
            return wait(wake)
        case .streaming:
            guard adopt(&position) else { return wait(wake) }
            let isPartial = length.map { position.range.upperBound < $0 } ?? false
            let limit = isPartial ? received : received - heldBackNow
            return step(&position, upTo: limit) ?? (isDone(position) ? .finished : wait(wake))
        case .verified:
            guard adopt(&position) else { return .failed(.corrupt) }
            return step(&position, upTo: received) ?? .finished
        case .failed(let error):
            return isDone(position) ? .finished : .failed(error)
        case .passed:
            return adopt(&position) ? nil : .failed(.corrupt)
        }
    }

    /// Where the held back tail begins, as a count of bytes from what has been received.
    private var heldBackNow: Int {
        guard let length else { return Self.heldBack }
        return max(0, received - max(0, length - Self.heldBack))
    }

    /// Moves a reader to the present file, if what it has been given allows that.
    private func adopt(_ position: inout Position) -> Bool {
        guard position.generation != generation else { return true }
        let hasSent = position.offset > position.range.lowerBound
        let common = commonPrefixes.indices.contains(position.generation) ? commonPrefixes[position.generation] : 0
        guard !hasSent || position.offset <= common else { return false }
        position.generation = generation
        return true
    }

    private func step(_ position: inout Position, upTo limit: Int) -> ReadStep? {
        let end = min(limit, position.range.upperBound)
        guard end > position.offset, let file else { return nil }
        defer { position.offset = end }
        return .send(file, position.offset..<end)
    }

    private func isDone(_ position: Position) -> Bool {
        guard position.offset >= position.range.upperBound else { return false }
        return length.map { position.range.upperBound < $0 } ?? false
    }

    private mutating func wait(_ wake: @escaping @Sendable () -> Void) -> ReadStep {
        waiting.append(wake)
        return .wait
    }
}
