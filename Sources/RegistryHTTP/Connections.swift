import Locking
import NIOCore

/// The open connections of a server: counts them against the limit, and reaches them when the server drains.
///
/// Each event loop keeps its own (``LoopConnections``).
final class Connections: Sendable {
    private struct State {
        var count = 0
        var isClosed = false
        var whenEmpty: EventLoopPromise<Void>?
        var loops: [NIOLoopBound<LoopConnections>] = []
    }

    private let limit: Int
    private let state = Locked(State())

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { state.withLock { $0.count } }

    /// Called once for each event loop, on it.
    func add(_ loop: LoopConnections, on eventLoop: any EventLoop) {
        let loop = NIOLoopBound(loop, eventLoop: eventLoop)
        state.withLock { $0.loops.append(loop) }
    }

    /// Counts a connection, unless there are too many (`isBounded`) or the server drains.
    func admit(isBounded: Bool = true) -> Admission? {
        let isAdmitted = state.withLock { state in
            guard !state.isClosed, !isBounded || state.count < limit else { return false }
            state.count += 1
            return true
        }
        return isAdmitted ? Admission(to: self) : nil
    }

    /// A connection that was admitted is gone.
    fileprivate func leave() {
        let promise = state.withLock { state in
            state.count -= 1
            return state.count == 0 ? state.whenEmpty.take() : nil
        }
        promise?.succeed()
    }

    /// Admits no more, closes idle connections, and the others after the response in progress.
    ///
    /// The future succeeds, on that event loop, when the last one has closed.
    func quiesce(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let isEmpty = state.withLock { state in
            state.isClosed = true
            if state.count > 0 { state.whenEmpty = promise }
            return state.count == 0
        }
        if isEmpty { promise.succeed() }
        onEachLoop { $0.end() }
        return promise.futureResult
    }

    /// Closes what is left.
    func closeAll() {
        onEachLoop { $0.close() }
    }

    private func onEachLoop(_ action: @escaping @Sendable (LoopConnections) -> Void) {
        for loop in state.withLock({ $0.loops }) { loop.eventLoop.execute { action(loop.value) } }
    }
}

/// A place among the open connections of a server, given back with the last reference to it.
final class Admission: Sendable {
    private let connections: Connections

    fileprivate init(to connections: Connections) {
        self.connections = connections
    }

    deinit { connections.leave() }
}

/// The connections of one event loop, and the one timer that has them all looked at; confined to the loop.
final class LoopConnections {
    private var guards: [ConnectionGuard] = []
    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private var isCheckDue = false

    init(_ limits: RegistryServer.Limits, on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        // A few times within the shortest of the deadlines.
        interval = TimeAmount(min(limits.headTimeout, limits.idleTimeout, limits.sendStall) / 4)
    }

    func add(_ connection: ConnectionGuard) {
        connection.place = guards.count
        guards.append(connection)
        if !isCheckDue { scheduleCheck() }
    }

    func remove(_ connection: ConnectionGuard) {
        // The last one takes its place: no other has to move.
        let last = guards.removeLast()
        guard last !== connection else { return }
        guards[connection.place] = last
        last.place = connection.place
    }

    /// Has each connection close when its response has ended, or now.
    func end() {
        for connection in guards { connection.endConnection() }
    }

    func close() {
        for connection in guards { connection.closeConnection() }
    }

    private func scheduleCheck() {
        isCheckDue = true
        eventLoop.assumeIsolated().scheduleTask(in: interval) { self.check() }
    }

    private func check() {
        isCheckDue = false
        let now = NIODeadline.now()
        for connection in guards { connection.check(at: now) }
        if !guards.isEmpty { scheduleCheck() }
    }
}

/// Tells a connection's `RequestHandler` to close: now when it is idle, else after the response under way.
///
/// `ChannelShouldQuiesceEvent` would have the pipelining handler close a connection whose last response is written but not
/// yet taken by the client.
struct ConnectionShouldEnd {}
