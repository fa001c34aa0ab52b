import NIOCore
import Posix

/// Sends responses on one connection: straight to its socket what that takes at once, and the rest through the channel.
///
/// The way through a channel (a queue, a promise, events asked of the system) takes longer than the system calls of a short
/// response, and most sockets take one whole. Nothing overtakes what the channel still holds. Through TLS all goes by the
/// channel. Confined to the connection's event loop.
final class Outlet {
    private let channel: any Channel
    private let pipeline: ChannelPipeline.SynchronousOperations
    /// The channel's socket, if bytes can go past the channel; the channel has it open while it is active.
    private let socket: BorrowedSocket?
    /// The pieces that the channel has, and the socket has not taken.
    private var enqueued = 0
    /// Called when the channel is backed up no longer.
    var whenRelieved: (() -> Void)?

    /// From so many pieces on, no more requests should be answered: a client that asks and does not read would fill memory.
    private static let mostEnqueued = 16

    /// Whether the channel holds so much that nothing should be added to it.
    var isBackedUp: Bool { enqueued >= Self.mostEnqueued }

    init(_ channel: any Channel, isPlain: Bool) {
        self.channel = channel
        pipeline = channel.pipeline.syncOperations
        socket =
            isPlain
            ? try? pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { BorrowedSocket($0) }
            : nil
    }

    /// The socket, while nothing is before what would be sent to it.
    private var freeSocket: BorrowedSocket? {
        enqueued == 0 && channel.isActive ? socket : nil
    }

    /// Sends a piece, after the head if there is one.
    ///
    /// - Returns: `nil` when the socket has taken all of it; else what tells when it has, and fails when it never will.
    func send(_ piece: ByteBuffer, after head: ByteBuffer? = nil) -> EventLoopFuture<Void>? {
        guard let socket = freeSocket else { return enqueue(.byteBuffer(piece), after: head) }
        // What the socket has against it, the channel finds too, and closes.
        guard var head else {
            let sent = (try? socket.send(piece.readableBytesUInt8Span, isFollowed: false)) ?? 0
            return enqueueRest(of: piece, from: sent)
        }
        let sent = (try? socket.send(head.readableBytesUInt8Span, piece.readableBytesUInt8Span)) ?? 0
        guard sent < head.readableBytes else { return enqueueRest(of: piece, from: sent - head.readableBytes) }
        head.moveReaderIndex(forwardBy: sent)
        return enqueue(.byteBuffer(piece), after: head)
    }

    private func enqueueRest(of piece: ByteBuffer, from start: Int) -> EventLoopFuture<Void>? {
        guard start < piece.readableBytes else { return nil }
        var rest = piece
        rest.moveReaderIndex(forwardBy: start)
        return enqueue(.byteBuffer(rest))
    }

    /// Sends of a file's part what the socket takes at once, after the head if there is one.
    ///
    /// Memory must hold that part, as the event loop would wait for the disk.
    ///
    /// - Returns: how much of the head and of the part was sent: less, too, where the file ends before.
    func sendAtOnce(_ part: Range<Int>, of file: Int32, after head: ByteBuffer?) -> (head: Int, part: Int) {
        guard let socket = freeSocket else { return (0, 0) }
        var sentOfHead = 0
        if let head {
            sentOfHead = (try? socket.send(head.readableBytesUInt8Span, isFollowed: true)) ?? 0
            guard sentOfHead == head.readableBytes else { return (sentOfHead, 0) }
        }
        return (sentOfHead, (try? socket.send(file, part)) ?? 0)
    }

    /// Sends a piece through the channel, after the head if there is one; the future tells when the socket has taken it.
    func enqueue(_ piece: IOData, after head: ByteBuffer? = nil) -> EventLoopFuture<Void> {
        if let head { write(.byteBuffer(head)) }
        let promise = channel.eventLoop.makePromise(of: Void.self)
        enqueued += 1
        promise.futureResult.assumeIsolated()
            .whenComplete { _ in
                self.enqueued -= 1
                if self.enqueued == Self.mostEnqueued - 1 { self.whenRelieved?() }
            }
        pipeline.writeAndFlush(NIOAny(piece), promise: promise)
        return promise.futureResult
    }

    /// Has the channel hold something that goes before the piece which is enqueued next.
    func write(_ piece: IOData) {
        pipeline.write(NIOAny(piece), promise: nil)
    }

    /// `nil` when the channel holds nothing; else what tells when the socket has taken it.
    func emptied() -> EventLoopFuture<Void>? {
        enqueued == 0 ? nil : enqueue(.byteBuffer(ByteBuffer()))
    }

    /// Holds back packets that are not full, or no longer.
    func setCork(_ isCorked: Bool) {
        guard channel.isActive else { return }
        // Of a connection that has failed it fails too, and then there is nothing to hold.
        try? socket?.setCork(isCorked)
    }
}
