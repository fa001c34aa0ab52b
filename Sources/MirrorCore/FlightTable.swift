import Locking
import OCI

/// The flights under way, one a digest.
///
/// A flight enters with its first asker, and leaves when its blob is in the index or it has failed: at any moment a blob
/// is stored, in flight, or to be fetched.
final class FlightTable: Sendable {
    private struct State {
        var flights: [Digest: (flight: Flight, task: Task<Void, Never>)] = [:]
        var isOpen = true
    }

    private let state = Locked(State())
    private let context: FlightContext
    private let outsized = OutsizedBlobs()

    init(_ context: FlightContext) {
        self.context = context
    }

    func flight(for digest: Digest) -> Flight? {
        state.withLock { $0.flights[digest]?.flight }
    }

    /// A flight that need not depart, since the blob is known to be larger than the cache: its reader goes by itself.
    func handedOver(_ digest: Digest, in repository: Repository, for caller: Caller) -> Flight? {
        guard let length = outsized.length(of: digest, in: repository) else { return nil }
        let route = FlightRoute(sources: [FlightSource(repository: repository)], length: length)
        let flight = Flight(digest, by: route, for: Errand(for: caller), time: context.time)
        let store = context.store
        flight.passed(Handover { store.verifier(of: digest) }, length: length)
        return flight
    }

    enum Departure {
        case departed(Flight)
        /// There was one by now.
        case underWay(Flight)
        /// One has landed since the asker looked.
        case landed
        case closed
    }

    /// Starts a flight, unless there is one by now.
    func depart(_ digest: Digest, by route: FlightRoute, for caller: Caller) -> Departure {
        let departure: Departure = state.withLock { state in
            if let entry = state.flights[digest] { return .underWay(entry.flight) }
            guard state.isOpen else { return .closed }
            // Flights leave the table after they are in the index: under this lock, one of the two has it.
            guard context.index.blobSize(digest) == nil else { return .landed }
            let flight = Flight(digest, by: route, for: Errand(for: caller), time: context.time)
            state.flights[digest] = (flight, Task { await fly(flight) })
            return .departed(flight)
        }
        if case .departed = departure { context.metrics.add(to: .flights) }
        return departure
    }

    /// Returns when no flight to that digest is under way: then it is in the index, or has failed.
    func end(of digest: Digest) async {
        await state.withLock { $0.flights[digest]?.task }?.value
    }

    /// The bytes that all flights have written.
    var received: Int {
        let flights = state.withLock { $0.flights.values.map(\.flight) }
        return flights.reduce(0) { $0 + $1.received }
    }

    /// Whether nothing is in flight.
    var isIdle: Bool { state.withLock { $0.flights.isEmpty } }

    /// Ends all flights, and returns when they have ended: clients are cut, but what was verified lands.
    func cancelAll() async {
        let tasks = state.withLock { state in
            state.isOpen = false
            return state.flights.values.map(\.task)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func fly(_ flight: Flight) async {
        let runner = FlightRunner(flight, context: context)
        switch await runner.transfer() {
        case .verified(let source):
            await runner.land(from: source)
            context.keeper.release(flight, written: context.index.blobSize(flight.digest) ?? 0)
            remove(flight)
        case .passed(let handover, let length, let source):
            context.keeper.release(flight, written: 0)
            if let length, length > context.keeper.limits.maxSize { outsized.insert(length, flight.digest, source) }
            remove(flight)
            flight.passed(handover, length: length)
        case .failed(let error):
            let written = context.store.unfinishedBlob(flight.digest)?.received ?? 0
            context.keeper.release(flight, written: written)
            // Out of the table first, so that whoever hears of the failure can start another.
            remove(flight)
            flight.failed(error)
        }
    }

    private func remove(_ flight: Flight) {
        state.withLock { _ = $0.flights.removeValue(forKey: flight.digest) }
        context.metrics.add(-1, to: .flights)
        context.metrics.set(.spoolBytes, to: context.keeper.spooledBytes)
    }
}
