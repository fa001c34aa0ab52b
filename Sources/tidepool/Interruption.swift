import Glibc
import Locking
import Posix

/// What a command does with a signal to stop: it ends what it is at, and tells how far it came.
enum Interruption {
    /// Runs `body`, and cancels it at a signal; a second one ends the process at once.
    static func cancelling<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let signals = ServerSignal.stream(whileStarting: Locked(false))
        let work = Task { try await body() }
        let watch = Task {
            for await _ in signals {
                if work.isCancelled { endAtOnce() }
                work.cancel()
            }
        }
        defer { watch.cancel() }
        return try await work.value
    }

    private static func endAtOnce() -> Never {
        // ECMA-48: the cursor, which a display may have hidden.
        if Terminal.standardError != nil { Console.raw("\u{1b}[?25h\n") }
        // As a shell has it for a process that a signal ended.
        _exit(128 + ServerSignal.interrupt.rawValue)
    }
}
