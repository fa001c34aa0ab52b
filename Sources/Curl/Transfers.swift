/// A request on its way to the thread, with the caller that waits for its outcome.
struct Submission: Sendable {
    var request: TransferRequest
    var sink: any TransferSink
    var ticket: Ticket
    var continuation: CheckedContinuation<Result<ResponseHead, TransferError>, Never>
    /// Lets the transfer go on after a rest; may be called on any thread, and outlives the transfer.
    var goOn: @Sendable () -> Void

    func end(with outcome: Result<ResponseHead, TransferError>) {
        continuation.resume(returning: outcome)
    }
}

/// The transfers in progress.
///
/// Lives on the thread's stack and nowhere else.
struct Transfers {
    let multi: MultiHandle
    private var entries: [ObjectIdentifier: (handle: EasyHandle, submission: Submission)] = [:]
    private var nextSweep = ContinuousClock.now

    /// How often timeouts are checked.
    static let sweepInterval = Duration.milliseconds(100)

    init(multi: MultiHandle) {
        self.multi = multi
    }

    var isEmpty: Bool { entries.isEmpty }

    mutating func start(_ submission: Submission) {
        guard !submission.ticket.isCancelled else { return submission.end(with: .failure(.taskCancelled)) }
        do throws(TransferError) {
            let handle = try EasyHandle(submission.request, sink: submission.sink, goOn: submission.goOn)
            try multi.add(handle)
            entries[ObjectIdentifier(handle)] = (handle, submission)
        } catch {
            submission.end(with: .failure(error))
        }
    }

    /// Gives the sinks what was gathered for them.
    mutating func endTurn() {
        for entry in entries.values {
            if let error = entry.handle.endTurn() { end(entry.handle, with: .failure(error)) }
        }
    }

    mutating func endCompleted() {
        while let (handle, outcome) = multi.nextCompleted() { end(handle, with: outcome) }
    }

    mutating func endCancelled() {
        for entry in entries.values where entry.submission.ticket.isCancelled {
            end(entry.handle, with: .failure(.taskCancelled))
        }
    }

    /// Goes on with those that have rested and were told to.
    mutating func goOnWithRested() {
        for entry in entries.values where entry.submission.ticket.takeGoOn() {
            if let error = entry.handle.goOn() { end(entry.handle, with: .failure(error)) }
        }
    }

    /// Ends what had run out of time by `now`.
    mutating func endExpired(at now: ContinuousClock.Instant) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        for entry in entries.values {
            if let error = entry.handle.expiry(at: now) { end(entry.handle, with: .failure(error)) }
        }
    }

    mutating func endAll(with error: TransferError) {
        for entry in entries.values { end(entry.handle, with: .failure(error)) }
    }

    private mutating func end(_ handle: EasyHandle, with outcome: Result<ResponseHead, TransferError>) {
        guard let entry = entries.removeValue(forKey: ObjectIdentifier(handle)) else { return }
        let wasSent = handle.hasSent
        multi.remove(handle)
        entry.submission.end(
            with: outcome.mapError { error in
                var error = error
                error.wasSent = wasSent
                return error
            }
        )
    }
}
