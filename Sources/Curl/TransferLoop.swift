import Locking
import Posix

/// A thread that drives HTTP transfers.
///
/// Any number of loops may exist; each has its own connections. Safe to use from any task.
package final class TransferLoop: Sendable {
    private let inbox: Inbox
    private let thread: DedicatedThread

    /// Starts the thread; `name` is what it is called in the process list.
    package init(name: String) {
        BrokenPipe.ignoreSignal()
        let multi = MultiHandle()
        let inbox = Inbox(waker: multi.waker)
        self.inbox = inbox
        // The closure captures the inbox and not `self`, so dropping the loop is possible; it takes `multi` with it, so
        // no one else can reach it.
        thread = DedicatedThread(name: name) { drive(multi, from: inbox) }
    }

    deinit {
        shutDown()
    }

    /// Sends `request`, feeding the response to `sink`, and returns when the body is complete.
    ///
    /// Cancelling the task ends the transfer; the sink is not called once this has returned.
    @discardableResult
    package func send(
        _ request: TransferRequest,
        to sink: any TransferSink
    ) async throws(TransferError) -> ResponseHead {
        let ticket = Ticket()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                inbox.post(
                    Submission(request: request, sink: sink, ticket: ticket, continuation: continuation) { [inbox] in
                        ticket.goOn()
                        inbox.wake()
                    }
                )
            }
        } onCancel: {
            ticket.cancel()
            inbox.wake()
        }
        return try outcome.get()
    }

    /// Ends every transfer with ``TransferError/Code/cancelled`` and joins the thread.
    package func shutDown() {
        inbox.close()
        thread.join()
    }
}

private func drive(_ multi: MultiHandle, from inbox: Inbox) {
    var transfers = Transfers(multi: multi)
    while true {
        let (submissions, isOpen) = inbox.take()
        for submission in submissions { transfers.start(submission) }
        guard isOpen else { return transfers.endAll(with: .shutDown) }
        transfers.endCancelled()
        transfers.goOnWithRested()
        // Before sinks may be busy, whose time is not the peers': bytes that came in it count when they are read, next turn.
        let now = ContinuousClock.now
        multi.perform()
        transfers.endTurn()
        transfers.endCompleted()
        transfers.endExpired(at: now)
        multi.poll(timeout: transfers.isEmpty ? .seconds(60) : Transfers.sweepInterval)
    }
}

/// What callers have asked for and the thread has not yet seen.
private final class Inbox: Sendable {
    private let state = Locked((submissions: [Submission](), isOpen: true))
    private let waker: MultiHandle.Waker

    init(waker: MultiHandle.Waker) {
        self.waker = waker
    }

    func post(_ submission: Submission) {
        let accepted = state.withLock { state in
            if state.isOpen { state.submissions.append(submission) }
            return state.isOpen
        }
        // Resume outside the lock: resumption takes a runtime lock of its own.
        if accepted { wake() } else { submission.end(with: .failure(.shutDown)) }
    }

    func take() -> (submissions: [Submission], isOpen: Bool) {
        state.withLock { state in
            defer { state.submissions = [] }
            return state
        }
    }

    func close() {
        // The thread frees the handle behind the waker only after it has seen `isOpen == false`, so wake it while the
        // lock still holds it off.
        state.withLock { state in
            guard state.isOpen else { return }
            state.isOpen = false
            waker.wake()
        }
    }

    func wake() {
        state.withLock { if $0.isOpen { waker.wake() } }
    }
}
