import MirrorCore
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

    /// Sends as much as the socket takes of so many bytes, after which nothing or a file follows.
    ///
    /// - Returns: How much; `nil` when the client has gone.
    func send(_ bytes: ByteBuffer, atMost limit: Int) -> Int? {
        try? BorrowedSocket(number).send(bytes.readableBytesUInt8Span.extracting(first: limit), isFollowed: true)
    }

    /// Sends as much as the socket takes of a file's part; `nil` when the client has gone, or the file cannot be read.
    func send(_ file: any StoredFile, _ part: Range<Int>) -> Int? {
        try? BorrowedSocket(number).send(file.descriptor, part)
    }

    /// Says that nothing follows; the connection is to be closed.
    func end() { socket?.end() }

    /// Gives the socket away, to be closed by whoever takes it.
    func takeSocket() -> Int32? { socket.take()?.takeRawValue() }
}
