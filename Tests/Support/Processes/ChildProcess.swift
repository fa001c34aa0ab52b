import Glibc
import Locking
import Posix

/// How a process ended.
package enum ExitStatus: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    /// Reads what `waitpid` gave.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signalled(signal)
    }
}

/// A process that we started, the leader of a process group of its own.
///
/// A thread of its own starts it and waits for it. It dies with the test run, however that ends: the kernel sends it
/// SIGKILL when that thread goes away (`setpriv --pdeathsig`).
package final class ChildProcess: Sendable {
    private struct State {
        var status: ExitStatus?
        var waiters: [CheckedContinuation<ExitStatus, Never>] = []
    }

    package let identifier: pid_t
    private let state: Locked<State>
    private let thread: DedicatedThread

    /// Starts a command; its output goes to the two files.
    package static func launch(
        _ command: [String],
        environment: [String: String],
        output: String,
        errors: String
    ) async throws -> ChildProcess {
        let state = Locked(State())
        let (started, report) = AsyncStream<Result<pid_t, SpawnError>>.makeStream()
        let thread = DedicatedThread(name: "child") {
            let guarded = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] + command
            let result = Result { () throws(SpawnError) in
                try spawn(guarded, environment: environment, output: output, errors: errors)
            }
            report.yield(result)
            if case .success(let identifier) = result { finish(state, ChildProcess.wait(for: identifier)) }
        }
        guard let result = await started.first(where: { _ in true }) else { throw CancellationError() }
        return try ChildProcess(identifier: result.get(), state: state, thread: thread)
    }

    private init(identifier: pid_t, state: Locked<State>, thread: DedicatedThread) {
        self.identifier = identifier
        self.state = state
        self.thread = thread
    }

    deinit {
        kill()
        thread.join()
    }

    package var isRunning: Bool { state.withLock { $0.status == nil } }

    /// Returns when the process has ended.
    ///
    /// Cancelling the task kills it.
    @discardableResult
    package func waitForExit() async -> ExitStatus {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let status = state.withLock { state in
                    if state.status == nil { state.waiters.append(continuation) }
                    return state.status
                }
                if let status { continuation.resume(returning: status) }
            }
        } onCancel: {
            kill()
        }
    }

    /// Waits for the end; kills the process when that takes longer than `limit`, and then returns `nil`.
    package func waitForExit(within limit: Duration) async -> ExitStatus? {
        let watchdog = Task {
            try await Task.sleep(for: limit)
            kill()
            return true
        }
        let status = await waitForExit()
        watchdog.cancel()
        return (try? await watchdog.value) == true ? nil : status
    }

    package func signal(_ signal: Int32) {
        if isRunning { Glibc.kill(identifier, signal) }
    }

    package func signalGroup(_ signal: Int32) {
        if isRunning { Glibc.kill(-identifier, signal) }
    }

    /// Ends the whole process group at once.
    package func kill() { signalGroup(SIGKILL) }

    private static func wait(for identifier: pid_t) -> ExitStatus {
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) == -1, errno == EINTR {}
        // Whatever it left behind in its group.
        Glibc.kill(-identifier, SIGKILL)
        return ExitStatus(waitStatus: status)
    }

    private static func finish(_ state: Locked<State>, _ status: ExitStatus) {
        let waiters = state.withLock { state in
            state.status = status
            return state.waiters.extract()
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }
}
