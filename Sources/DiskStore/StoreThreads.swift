import MirrorCore
import Posix

/// The threads that wait for the disk, so that no event loop, transfer or task does.
///
/// What takes long (hashing a whole file, walking the store) comes in pieces, so that landings come in between.
final class StoreThreads: Sendable {
    private let mailbox: Mailbox<@Sendable () -> Void>
    private let threads: [DedicatedThread]

    init(count: Int) {
        let mailbox = Mailbox<@Sendable () -> Void>()
        self.mailbox = mailbox
        threads = (0..<count)
            .map { number in
                DedicatedThread(name: "store-\(number)") {
                    while let work = mailbox.take() {
                        for item in work { item() }
                    }
                }
            }
    }

    deinit {
        mailbox.close()
    }

    /// Runs `work` on one of the threads, and does not wait; returns `false` when the threads have ended, and it never runs.
    @discardableResult
    func post(_ work: @escaping @Sendable () -> Void) -> Bool {
        mailbox.post(work)
    }

    /// Runs `work` on one of the threads, and returns when it is done; cancelling the task does not stop it.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, StoreError>, Never>) in
            let isTaken = mailbox.post {
                do throws(StoreError) {
                    done.resume(returning: .success(try work()))
                } catch {
                    done.resume(returning: .failure(error))
                }
            }
            if !isTaken { done.resume(returning: .failure(.closed)) }
        }
        return try result.get()
    }

    /// Does what is queued, and ends the threads.
    @available(*, noasync, message: "waits for the disk")
    func close() {
        mailbox.close()
        for thread in threads { thread.join() }
    }
}
