import NIOCore
import Posix

/// A connection that the express lane has accepted, and has not answered yet.
///
/// Letting it go closes it, and gives its place back.
final class ExpressConnection {
    /// The socket, with what belongs to it until it is closed.
    let admission: Admission
    let peer: InternetAddress?
    let start = NIODeadline.now()
    /// Its socket's number.
    let number: Int32
    private var socket: StreamSocket?

    init(_ socket: consuming StreamSocket, from peer: InternetAddress?, admission: Admission) {
        number = socket.rawValue
        self.socket = consume socket
        self.peer = peer
        self.admission = admission
    }

    /// Reads what has come; a connection that has failed is at its end.
    func receive(into buffer: inout [UInt8]) -> StreamSocket.Received {
        (try? socket?.receive(into: &buffer)) ?? .end
    }

    /// Sends as much as the socket takes of so many bytes; `nil` when the client has gone.
    ///
    /// After all of them the connection is to be closed, else to be handed over for the rest.
    func send(_ bytes: ByteBuffer, atMost limit: Int) -> Int? {
        let bytesNow = bytes.readableBytesUInt8Span.extracting(first: limit)
        guard let sent = try? socket?.sendLast(bytesNow) else { return nil }
        if sent == bytes.readableBytes { socket?.end() }
        return sent
    }

    /// Gives the socket away, to be closed by whoever takes it.
    func takeSocket() -> Int32? { socket.take()?.takeRawValue() }
}
