import Dispatch
import Glibc

/// The signals that the server acts on, as they come.
enum ServerSignal: Int32, CaseIterable, Sendable {
    case hangUp = 1
    case interrupt = 2
    case terminate = 15

    /// From the call on, these signals no longer end the process, and neither does a closed pipe.
    static func stream() -> AsyncStream<ServerSignal> {
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream<ServerSignal>.makeStream()
        let sources = allCases.map { kind in
            signal(kind.rawValue, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: kind.rawValue, queue: .global())
            source.setEventHandler { continuation.yield(kind) }
            source.resume()
            return source
        }
        // The sources live as long as somebody may read the stream.
        continuation.onTermination = { _ in
            for source in sources { source.cancel() }
        }
        return stream
    }
}
