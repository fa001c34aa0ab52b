import Dispatch
import Glibc
import Locking

/// The signals that the server acts on, as they come.
enum ServerSignal: Int32, CaseIterable, Sendable {
    case hangUp = 1
    case interrupt = 2
    case terminate = 15

    /// From the call on, these signals no longer end the process, and neither does a closed pipe.
    ///
    /// While it is starting, a signal to stop ends it at once, with exit code 0: it may be waiting for the data directory, and
    /// nothing is under way.
    static func stream(whileStarting isStarting: Locked<Bool>) -> AsyncStream<ServerSignal> {
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream<ServerSignal>.makeStream()
        var sources: [any DispatchSourceSignal] = []
        for kind in allCases {
            signal(kind.rawValue, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: kind.rawValue, queue: .global())
            source.setEventHandler {
                // Not `exit`: other threads are in the middle of something.
                if kind != .hangUp, isStarting.withLock({ $0 }) { _exit(0) }
                continuation.yield(kind)
            }
            source.resume()
            sources.append(source)
        }
        let kept = Locked(sources)
        // The sources live as long as somebody may read the stream.
        continuation.onTermination = { _ in
            kept.withLock { for source in $0 { source.cancel() } }
        }
        return stream
    }
}
