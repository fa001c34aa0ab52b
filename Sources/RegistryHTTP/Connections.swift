import Locking
import NIOCore

/// The open connections of a server.
///
/// Counts them against the limit, and finds them again when the server drains.
final class Connections: Sendable {
    private struct State {
        var open: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
        var whenEmpty: EventLoopPromise<Void>?
    }

    private let limit: Int
    private let state = Locked(State())

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { state.withLock { $0.open.count } }

    /// Takes a connection in, unless there are too many (`isBounded`) or the server drains; forgets it when it closes.
    func admit(_ channel: any Channel, isBounded: Bool = true) -> Bool {
        let isAdmitted = state.withLock { state in
            guard !state.isClosed, !isBounded || state.open.count < limit else { return false }
            state.open[ObjectIdentifier(channel)] = channel
            return true
        }
        if isAdmitted { channel.closeFuture.whenComplete { _ in self.remove(channel) } }
        return isAdmitted
    }

    /// Admits no more, closes idle connections, and the others after the response in progress.
    ///
    /// The future succeeds, on that event loop, when the last one has closed.
    func quiesce(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let channels = state.withLock { state in
            state.isClosed = true
            if !state.open.isEmpty { state.whenEmpty = promise }
            return Array(state.open.values)
        }
        if channels.isEmpty { promise.succeed() }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ConnectionShouldEnd()) }
        return promise.futureResult
    }

    /// Closes what is left.
    func closeAll() {
        for channel in state.withLock({ Array($0.open.values) }) { channel.close(promise: nil) }
    }

    private func remove(_ channel: any Channel) {
        let promise = state.withLock { state in
            state.open[ObjectIdentifier(channel)] = nil
            return state.open.isEmpty ? state.whenEmpty.take() : nil
        }
        promise?.succeed()
    }
}

/// Tells a connection's `RequestHandler` to close: now when it is idle, else after the response under way.
///
/// `ChannelShouldQuiesceEvent` would have the pipelining handler close a connection whose last response is written but not
/// yet taken by the client.
struct ConnectionShouldEnd {}
