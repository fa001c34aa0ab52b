import Locking
import NIOCore
import NIOPosix

/// A TCP connection whose every byte is the test's own: what clients send, right or wrong, and what comes back.
package final class RawConnection: Sendable {
    private struct State {
        var received = ByteBuffer()
        var count = 0
        var isClosed = false
        var waiters: [(threshold: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    /// Whether everything received is kept, or only counted.
    private let keepsBytes: Bool
    private let state = Locked(State())
    private let channelBox = Locked<(any Channel)?>(nil)

    private init(keepsBytes: Bool) { self.keepsBytes = keepsBytes }

    /// Connects to a loopback port.
    package static func open(port: Int, keepsBytes: Bool = true) async throws -> RawConnection {
        let connection = RawConnection(keepsBytes: keepsBytes)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(connection))
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .get()
        connection.channelBox.withLock { $0 = channel }
        return connection
    }

    private var channel: (any Channel)? { channelBox.withLock { $0 } }

    /// Sends text as it is.
    ///
    /// A connection that the peer has closed swallows it.
    package func send(_ text: String) async { await send(ByteBuffer(string: text)) }

    package func send(_ bytes: ByteBuffer) async { try? await channel?.writeAndFlush(bytes) }

    /// All bytes that have come.
    package var received: ByteBuffer { state.withLock { $0.received } }

    package var receivedCount: Int { state.withLock { $0.count } }

    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Returns when `count` bytes have come, or the peer has closed, or the task is cancelled.
    package func waitForBytes(_ count: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    let isDone = state.count >= count || state.isClosed
                    if !isDone { state.waiters.append((count, continuation)) }
                    return isDone
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            channel?.close(promise: nil)
        }
    }

    /// Returns when the peer has closed.
    package func waitForClose() async { await waitForBytes(.max) }

    package func close() async { try? await channel?.close() }

    /// Stops and goes on reading: a client that reads slowly, or not at all.
    package func setReading(_ isReading: Bool) async throws {
        try await channel?.setOption(.autoRead, value: isReading).get()
    }

    fileprivate func take(_ bytes: ByteBuffer) {
        var bytes = bytes
        wake { state in
            state.count += bytes.readableBytes
            if keepsBytes { state.received.writeBuffer(&bytes) }
        }
    }

    fileprivate func end() {
        wake { $0.isClosed = true }
    }

    private func wake(_ change: (inout State) -> Void) {
        let reached = state.withLock { state in
            change(&state)
            let (count, isClosed) = (state.count, state.isClosed)
            let reached = state.waiters.filter { isClosed || $0.threshold <= count }
            state.waiters.removeAll { isClosed || $0.threshold <= count }
            return reached.map(\.continuation)
        }
        for continuation in reached { continuation.resume() }
    }
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: RawConnection

    init(_ connection: RawConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.take(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { connection.end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
