import Glibc

/// A queue from any thread to threads that wait for work.
///
/// Elements come out in the order in which they went in. It is not bounded: whoever posts has its own bound.
@safe
package final class Mailbox<Element: Sendable>: @unchecked Sendable {
    // `@unchecked`: `pending` and `isClosed` are touched with `mutex` held only; the pointers never change.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var pending: [Element] = []
    private var isClosed = false

    package init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe condition = .allocate(capacity: 1)
        unsafe condition.initialize(to: pthread_cond_t())
        // The clock of time-outs: one that nobody sets.
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Adds an element; returns `false` when the mailbox is closed, and nobody would ever take it.
    package func post(_ element: Element) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        guard !isClosed else { return false }
        pending.append(element)
        unsafe pthread_cond_signal(condition)
        return true
    }

    /// Takes up to `limit` elements, waiting until there is one; `nil` when the mailbox is closed and empty.
    @available(*, noasync, message: "waits for work; call it on a thread of your own")
    package func take(upTo limit: Int = 1) -> [Element]? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while pending.isEmpty, !isClosed {
            unsafe pthread_cond_wait(condition, mutex)
        }
        return pending.isEmpty ? nil : takePending(upTo: limit)
    }

    /// Takes as ``take(upTo:)`` does, but waits no longer than `duration`: then there are none.
    @available(*, noasync, message: "waits for work; call it on a thread of your own")
    package func take(upTo limit: Int, waitingUpTo duration: Duration) -> [Element]? {
        var deadline = Self.moment(in: duration)
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while pending.isEmpty, !isClosed {
            guard unsafe pthread_cond_timedwait(condition, mutex, &deadline) == 0 else { break }
        }
        guard !pending.isEmpty else { return isClosed ? nil : [] }
        return takePending(upTo: limit)
    }

    private static func moment(in duration: Duration) -> timespec {
        var moment = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &moment)
        let (seconds, attoseconds) = duration.components
        let nanoseconds = Int(attoseconds / 1_000_000_000) + moment.tv_nsec
        moment.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        moment.tv_nsec = nanoseconds % 1_000_000_000
        return moment
    }

    /// With `mutex` held.
    private func takePending(upTo limit: Int) -> [Element] {
        guard pending.count > limit else {
            let taken = pending
            pending = []
            return taken
        }
        let taken = Array(pending.prefix(limit))
        pending.removeFirst(limit)
        return taken
    }

    /// Ends it: no more goes in, and takers get what is left.
    package func close() {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        isClosed = true
        unsafe pthread_cond_broadcast(condition)
    }
}
