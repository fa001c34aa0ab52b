import Logging
import OCI

/// Room for what a flight brings: DESIGN rule 18.
extension FlightRunner {
    /// What came of looking for room.
    enum Search {
        /// It was something else that the sink refused for.
        case unneeded
        case found
        case vain
    }

    /// Makes the room that the sink has missed.
    func seekRoom(_ journey: inout Journey) async -> Search {
        switch sink.refusal {
        case .noRoom(let total):
            _ = sink.takeRefusal()
            guard await context.keeper.makeRoom(total, for: flight) else { return .vain }
            sink.promised(total)
            return .found
        case .store(.full):
            _ = sink.takeRefusal()
            journey.timesFull += 1
            let missing = (flight.length ?? sink.toldLength).map { $0 - flight.received } ?? Self.roomForUnknownLength
            guard journey.timesFull <= Self.mostTimesFull,
                await context.keeper.makeRoomOnDevice(max(missing, 1))
            else { return .vain }
            return .found
        default: return .unneeded
        }
    }

    private static let mostTimesFull = 3
    private static let roomForUnknownLength = 64 << 20

    /// Ends the flight because there is no room for its blob: a pull does not fail for that.
    ///
    /// Those who wait, and those who have some of it, go on by fetches of their own. Nothing of it stays, but what they have
    /// open.
    func passed(by source: FlightSource) async -> End {
        guard !Task.isCancelled else { return await failed(.shuttingDown) }
        var length = flight.length ?? sink.toldLength
        if length == nil { length = await Self.askedLength(of: flight, context) }
        log(
            "blob is passed through, there is no room for it",
            source,
            nil,
            ["bytes": "\(length.map { "\($0)" } ?? "?")"]
        )
        guard let spool = sink.releaseSpool() else {
            let (store, digest) = (context.store, flight.digest)
            return .passed(Handover { store.verifier(of: digest) }, length: length, source)
        }
        let handover = Handover(file: spool.file, received: spool.received) { spool.verifier() }
        spool.discard()
        return .passed(handover, length: length, source)
    }

    /// Lands a spool, once more after making room if the device was full.
    func land(_ spool: any Spool) async throws(StoreError) {
        do throws(StoreError) {
            try await spool.land()
        } catch {
            guard error == .full, await context.keeper.makeRoomOnDevice(Self.roomForNames) else { throw error }
            try await spool.land()
        }
    }

    /// What directories and the journal of a file system may want.
    private static let roomForNames = 1 << 20
}
