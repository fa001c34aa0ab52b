import Glibc
import Locking
import Posix

/// Work that SIGINT, SIGTERM and SIGHUP end in good order.
enum Interruption {
    /// Runs `body`; a signal cancels its task, and a second one ends the process at once.
    static func ending<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let signals = ServerSignal.stream(whileStarting: Locked(false))
        let work = Task { try await body() }
        let watch = Task {
            var isTold = false
            for await _ in signals {
                if isTold {
                    // The cursor, which a display may have hidden.
                    if Terminal.standardError != nil { Console.raw("\u{1b}[?25h\n") }
                    _exit(1)
                }
                isTold = true
                work.cancel()
            }
        }
        defer { watch.cancel() }
        return try await work.value
    }
}
