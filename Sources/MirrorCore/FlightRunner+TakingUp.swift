import Logging
import OCI

/// Going on from what an earlier flight has left, of this process or of one before: DESIGN rule 12.
extension FlightRunner {
    /// Takes up the unfinished spool of the blob, if there is one and those who wait may have it.
    ///
    /// Clients have their head before the disk has been read, where the length was noted. What comes of it is verified as a
    /// whole, so that nothing depends on who has left it.
    func takeUp() async -> Bool {
        guard flight.mayTakeUp, let known = context.store.unfinishedBlob(flight.digest) else { return false }
        let total = known.expectedLength ?? known.received
        guard await context.keeper.makeRoom(total, for: flight) else { return false }
        sink.promised(total)
        if let length = known.expectedLength { flight.settleLength(length) }
        do throws(StoreError) {
            guard let spool = try await context.store.unfinished(flight.digest) else { return false }
            let length = spool.expectedLength
            if let length, spool.received > length {
                spool.discard()
                return false
            }
            sink.takeUp(spool)
            flight.began(file: spool.file, length: length, received: spool.received)
            context.logger.info(
                "blob transfer goes on from what an earlier one has left",
                metadata: ["digest": "\(flight.digest)", "received": "\(spool.received)"]
            )
            context.metrics.add(to: .flightResumes)
            return true
        } catch {
            context.logger.warning(
                "what is left of a blob cannot be taken up",
                metadata: ["digest": "\(flight.digest)", "error": "\(error)"]
            )
            return false
        }
    }
}
