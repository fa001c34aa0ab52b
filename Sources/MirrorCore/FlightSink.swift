import Locking
import OCI

/// Takes a flight's bytes on the transfer thread: hashes them, writes them to the spool, and tells the flight.
///
/// The transfer's calls come one at a time, so the lock is never waited for; the runner looks only between transfers.
final class FlightSink: BlobSink {
    /// Why the sink refused bytes.
    enum Refusal: Hashable, Sendable {
        case store(StoreError)
        /// The body starts somewhere else than asked, or the length is another than before.
        case changed
        /// More bytes came than the blob has.
        case overrun
        /// There is no room for so many bytes, all files of the flight together.
        case noRoom(Int)
    }

    private struct State {
        var spool: (any Spool)?
        var refusal: Refusal?
        /// Bytes that the registry sends again, because it ignored the range.
        var excess = 0
        /// The length that the next head has to agree with.
        var expectedLength: Int?
        /// Whether somebody is asking for the length already.
        var hasAskedLength = false
        /// Whether a registry has said of the blob what does not go with what is in the spool.
        var isDoubtful = false
        /// What the flight has been promised.
        var promised = 0
        /// Bytes in earlier spools of the flight, which are on the disk still.
        var setAside = 0
        /// The length that the last head told.
        var toldLength: Int?
    }

    private let flight: Flight
    private let store: any BlobStore
    private let promise: @Sendable (Int) -> Bool
    private let whenLengthIsUnknown: @Sendable () -> Void
    private let state = Locked(State())

    /// `promise` asks for room for all that the flight writes, and waits for nothing.
    init(
        flight: Flight,
        store: any BlobStore,
        promise: @escaping @Sendable (Int) -> Bool,
        whenLengthIsUnknown: @escaping @Sendable () -> Void
    ) {
        self.promise = promise
        self.whenLengthIsUnknown = whenLengthIsUnknown
        self.flight = flight
        self.store = store
    }

    func begin(_ head: BlobHead) -> Bool {
        let received = flight.received
        guard head.offset == received || head.offset == 0 else { return refuse(.changed) }
        let expected = state.withLock { $0.expectedLength }
        if let known = flight.length ?? expected, let told = head.length, known != told { return refuse(.changed) }
        // A claim is no length to tell clients, unless the one who sends the blob agrees.
        if expected != nil, flight.length == nil, head.length == nil { return refuse(.changed) }
        let isFirst = state.withLock { state in
            state.excess = received - head.offset
            return state.spool == nil
        }
        let length = head.length ?? expected
        state.withLock { $0.toldLength = length ?? $0.toldLength }
        if let total = flight.length ?? length, !hasRoom(for: total, orElse: total) { return false }
        if !isFirst {
            learn(length)
            return true
        }
        do throws(StoreError) {
            let spool = try store.spool(for: flight.digest)
            state.withLock { $0.spool = spool }
            if let length { spool.expect(length: length) }
            flight.began(file: spool.file, length: length)
            askLengthIfUnknown()
            return true
        } catch {
            return refuse(.store(error))
        }
    }

    /// A spool that was there before has met a head.
    private func learn(_ length: Int?) {
        guard flight.length == nil else { return }
        if let length {
            spool?.expect(length: length)
            flight.settleLength(length)
        }
        askLengthIfUnknown()
    }

    private func askLengthIfUnknown() {
        guard flight.length == nil else { return }
        let isAsked = state.withLock { state in
            defer { state.hasAskedLength = true }
            return state.hasAskedLength
        }
        if !isAsked { whenLengthIsUnknown() }
    }

    func receive(_ bytes: Span<UInt8>) -> BlobIntake { take(bytes) ? .taken : .refused }

    private func take(_ bytes: Span<UInt8>) -> Bool {
        let (excess, spool) = state.withLock { state in
            let excess = min(state.excess, bytes.count)
            state.excess -= excess
            return (excess, state.spool)
        }
        let fresh = bytes.extracting(droppingFirst: excess)
        guard let spool, fresh.count > 0 else { return spool != nil }
        if let length = flight.length, flight.received + fresh.count > length { return refuse(.overrun) }
        let end = flight.received + fresh.count
        guard hasRoom(for: end, orElse: end + Self.step) else { return false }
        do throws(StoreError) {
            try spool.append(fresh)
        } catch {
            return refuse(.store(error))
        }
        flight.landed(bytes: fresh.count)
        return true
    }

    /// How far ahead room is asked for where the length is not known.
    private static let step = 8 << 20

    /// Whether the flight may write so much; `generous` is what it asks for if it has to ask.
    private func hasRoom(for bytes: Int, orElse generous: Int) -> Bool {
        let (setAside, promised) = state.withLock { ($0.setAside, $0.promised) }
        let (bytes, generous) = (min(bytes, SpaceAccount.mostBytes), min(generous, SpaceAccount.mostBytes))
        guard setAside + bytes > promised else { return true }
        for total in [setAside + generous, setAside + bytes] where promise(total) {
            state.withLock { $0.promised = total }
            return true
        }
        return refuse(.noRoom(setAside + bytes))
    }

    private func refuse(_ refusal: Refusal) -> Bool {
        state.withLock { state in
            state.refusal = refusal
            if refusal == .changed || refusal == .overrun { state.isDoubtful = true }
        }
        return false
    }

    // MARK: - For the runner, between transfers

    /// Says what length the head of the next transfer has to tell; `nil` leaves it to the head.
    func expect(length: Int?) {
        state.withLock { $0.expectedLength = length }
    }

    /// Goes on with a spool that an earlier flight has left.
    func takeUp(_ spool: any Spool) {
        state.withLock { $0.spool = spool }
    }

    /// The flight has been promised so many bytes.
    func promised(_ total: Int) {
        state.withLock { $0.promised = max($0.promised, total) }
    }

    /// The length of the blob, if a head has told it; the flight may not have been told, for want of room.
    var toldLength: Int? { state.withLock { $0.toldLength } }

    /// Why the last transfer was refused, if it was; see ``takeRefusal()``.
    var refusal: Refusal? {
        state.withLock { $0.refusal }
    }

    /// Whether what is in the spool may be another blob's, so that it is not worth keeping.
    var isDoubtful: Bool {
        state.withLock { $0.isDoubtful }
    }

    /// The spool of this generation, if the head has come.
    var spool: (any Spool)? {
        state.withLock { $0.spool }
    }

    /// Why the last transfer was refused, once.
    func takeRefusal() -> Refusal? {
        state.withLock { state in
            defer { state.refusal = nil }
            return state.refusal
        }
    }

    /// Lets go of the spool, so that the next head opens another.
    func releaseSpool() -> (any Spool)? {
        state.withLock { state in
            defer { state.spool = nil }
            state.setAside += state.spool?.received ?? 0
            return state.spool
        }
    }
}
