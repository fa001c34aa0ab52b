import Dispatch
import Glibc
import Locking

/// The signals that the server acts on, as they come.
enum ServerSignal: Int32, CaseIterable, Sendable {
    case hangUp = 1
    case interrupt = 2
    case terminate = 15

    /// From the call on, these signals no longer end the process, and neither does a closed pipe.
    static func stream() -> AsyncStream<ServerSignal> {
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream<ServerSignal>.makeStream()
        var sources: [any DispatchSourceSignal] = []
        for kind in allCases {
            signal(kind.rawValue, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: kind.rawValue, queue: .global())
            source.setEventHandler { continuation.yield(kind) }
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
