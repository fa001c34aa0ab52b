import Glibc
import Locking

/// What a command does with a signal to stop: it ends what it is at, and tells how far it came.
enum Interruption {
    /// Runs `body`, and cancels it at a signal; a second one ends the process at once.
    static func cancelling(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = ServerSignal.stream(whileStarting: Locked(false))
        let work = Task { try await body() }
        let watch = Task {
            for await _ in signals {
                // As a shell has it for a process that a signal ended.
                if work.isCancelled { _exit(128 + ServerSignal.interrupt.rawValue) }
                work.cancel()
            }
        }
        defer { watch.cancel() }
        try await work.value
    }
}
