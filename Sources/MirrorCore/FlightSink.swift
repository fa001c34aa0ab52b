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
    }

    private struct State {
        var spool: (any Spool)?
        var refusal: Refusal?
        /// Bytes that the registry sends again, because it ignored the range.
        var excess = 0
        /// The length that the next head has to agree with.
        var expectedLength: Int?
    }

    private let flight: Flight
    private let store: any BlobStore
    private let whenLengthIsUnknown: @Sendable () -> Void
    private let state = Locked(State())

    init(
        flight: Flight,
        store: any BlobStore,
        whenLengthIsUnknown: @escaping @Sendable () -> Void
    ) {
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
        guard isFirst else { return true }
        do throws(StoreError) {
            let spool = try store.spool(for: flight.digest)
            state.withLock { $0.spool = spool }
            flight.began(file: spool.file, length: head.length)
            if flight.length == nil { whenLengthIsUnknown() }
            return true
        } catch {
            return refuse(.store(error))
        }
    }

    func receive(_ bytes: Span<UInt8>) -> Bool {
        let (excess, spool) = state.withLock { state in
            let excess = min(state.excess, bytes.count)
            state.excess -= excess
            return (excess, state.spool)
        }
        let fresh = bytes.extracting(droppingFirst: excess)
        guard let spool, fresh.count > 0 else { return spool != nil }
        if let length = flight.length, flight.received + fresh.count > length { return refuse(.overrun) }
        do throws(StoreError) {
            try spool.append(fresh)
        } catch {
            return refuse(.store(error))
        }
        flight.landed(bytes: fresh.count)
        return true
    }

    private func refuse(_ refusal: Refusal) -> Bool {
        state.withLock { $0.refusal = refusal }
        return false
    }

    // MARK: - For the runner, between transfers

    /// Says what length the head of the next transfer has to tell; `nil` leaves it to the head.
    func expect(length: Int?) {
        state.withLock { $0.expectedLength = length }
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
            return state.spool
        }
    }
}
