import Logging
import OCI

/// Room for what a flight brings: DESIGN rule 18.
extension FlightRunner {
    /// Makes the room that the sink has missed; `false` when it was something else that it refused for, or there is none.
    func makeRoom(_ source: FlightSource, _ journey: inout Journey) async -> Bool {
        switch sink.refusal {
        case .noRoom(let total):
            _ = sink.takeRefusal()
            if await context.keeper.makeRoom(total, for: flight) {
                sink.promised(total)
            } else {
                // A pull does not fail for want of room: the blob goes to those who wait, and not into the cache.
                log("blob is not kept, there is no room for it", source, nil, ["bytes": "\(total)"])
                sink.pass()
            }
            return true
        case .store(.full) where journey.timesFull < Self.mostTimesFull:
            journey.timesFull += 1
            let missing = flight.length.map { $0 - flight.received } ?? Self.roomForUnknownLength
            guard await context.keeper.makeRoomOnDevice(max(missing, 1)) else { return false }
            _ = sink.takeRefusal()
            return true
        default: return false
        }
    }

    private static let mostTimesFull = 3
    private static let roomForUnknownLength = 64 << 20

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
