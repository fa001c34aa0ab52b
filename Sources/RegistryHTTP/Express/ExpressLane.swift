import NIOCore
import NIOPosix
import Posix

/// Takes the connections of plain listeners, and answers those at once that come for one prepared answer, or for
/// a blob that a socket may take at once.
///
///     accepted ──▶ waiting ──request, Connection: close, prepared──▶ answered, closed
///                     └──any other bytes, or none in time──▶ an event loop's
///
/// Classic docker and podman 4 make a connection for each request. Of what such a request takes, most is making and unmaking
/// a channel: here it is accept, recv, send (or `sendfile`) and close. A connection that is to be kept, or that asks for
/// anything else, pays for passing through here once.
///
/// It has a thread and an epoll set of its own; its logic is ``ExpressLoop``. It must be stopped, before the event loops.
final class ExpressLane: Sendable {
    private let end: EventDescriptor
    private let thread: DedicatedThread
    /// Succeeds when the thread has done all it had to.
    private let ended: EventLoopFuture<Void>

    init(
        _ listeners: [ListeningSocket],
        server: ServerContext,
        answers: ExpressAnswers,
        group: MultiThreadedEventLoopGroup
    ) throws(SystemCallError) {
        let epoll = try Epoll()
        let end = try EventDescriptor()
        try epoll.add(end.rawValue)
        for listener in listeners { try epoll.add(listener.rawValue) }
        self.end = end
        let promise = group.next().makePromise(of: Void.self)
        ended = promise.futureResult
        thread = DedicatedThread(name: "express") {
            ExpressLoop(listeners, epoll, until: end, server: server, answers: answers, group: group).run()
            promise.succeed()
        }
    }

    /// Ends it and closes its listeners; no connection is left with it.
    ///
    /// An event loop may still have to take over what it was given.
    func stop() async {
        end.signal()
        try? await ended.get()
        // It has nothing left to do but to end.
        thread.join()
    }
}
