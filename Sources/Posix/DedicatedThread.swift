import CPosix
import Glibc
import Locking

/// A named thread that runs one closure.
///
/// Blocking in it starves nobody.
package final class DedicatedThread: Sendable {
    private let thread: Locked<pthread_t?>

    /// Starts the thread.
    ///
    /// `body` owns what it captures: nothing else may touch it.
    package init(name: String, _ body: sending @escaping () -> Void) {
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread,
            nil,
            { context in
                let start = unsafe Unmanaged<Start>.fromOpaque(context!).takeRetainedValue()
                unsafe cposix_set_current_thread_name(start.name)
                start.body()
                return nil
            },
            start.toOpaque()
        )
        precondition(status == 0, "pthread_create failed with \(status)")
        self.thread = Locked(thread)
    }

    /// Waits for the closure to return.
    ///
    /// Later calls return at once.
    package func join() {
        if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
    }

    /// Lets the calling thread rest, for whole microseconds; a signal may end it early.
    @available(*, noasync, message: "blocks the thread; a task sleeps by its clock")
    package static func sleep(for duration: Duration) {
        usleep(UInt32(clamping: Int64(duration / .microseconds(1))))
    }

    private final class Start {
        let name: String
        let body: () -> Void
        init(name: String, body: @escaping () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
