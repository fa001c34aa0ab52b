import Glibc
import Posix
import Testing

/// Sending on a socket that somebody else owns.
@Suite("Borrowed sockets")
struct BorrowedSocketTests {
    /// Two connected sockets whose calls do not wait, closed with the object.
    private final class Pair {
        let ours: Int32
        private(set) var peer: Int32

        init() {
            var numbers: [Int32] = [-1, -1]
            let status = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &numbers)
            precondition(status == 0, "socketpair: errno \(errno)")
            (ours, peer) = (numbers[0], numbers[1])
        }

        deinit {
            close(ours)
            closePeer()
        }

        func closePeer() {
            if peer >= 0 { close(peer) }
            peer = -1
        }

        func received(_ count: Int = 1 << 20) -> [UInt8] {
            [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = max(0, recv(peer, buffer.baseAddress, count, 0))
            }
        }
    }

    /// A file without a name.
    private func file(_ bytes: [UInt8]) throws -> FileDescriptor {
        var template = Array("/tmp/tidepool-test-XXXXXX".utf8CString)
        let file = FileDescriptor(takingOwnershipOf: mkstemp(&template))
        unlink(template)
        try file.write(bytes.span, at: 0)
        return file
    }

    @Test("bytes arrive in order, whichever way they were sent")
    func order() throws {
        let pair = Pair()
        let socket = BorrowedSocket(pair.ours)
        let file = try file([5, 6, 7, 8])
        #expect(try socket.send([1].span, isFollowed: true) == 1)
        #expect(try socket.send([2, 3].span, [4].span) == 3)
        #expect(try socket.send(file.rawValue, 1..<3) == 2)
        #expect(try socket.send([9].span, isFollowed: false) == 1)
        #expect(pair.received() == [1, 2, 3, 4, 6, 7, 9])
    }

    @Test("a socket that is full takes what it can, and then nothing")
    func full() throws {
        let pair = Pair()
        let socket = BorrowedSocket(pair.ours)
        let bytes = [UInt8](repeating: 1, count: 16 << 20)
        let file = try file(bytes)
        let sent = try socket.send(bytes.span, isFollowed: false)
        #expect(sent > 0 && sent < bytes.count)
        #expect(try socket.send([1].span, isFollowed: false) == 0)
        #expect(try socket.send([1].span, [2].span) == 0)
        #expect(try socket.send(file.rawValue, 0..<10) == 0)
    }

    @Test("a file that ends before the part does sends what there is of it")
    func shortFile() throws {
        let pair = Pair()
        let file = try file([1, 2, 3])
        #expect(try BorrowedSocket(pair.ours).send(file.rawValue, 1..<10) == 2)
        #expect(try BorrowedSocket(pair.ours).send(file.rawValue, 3..<10) == 0)
    }

    @Test("a peer that has gone is an error, and no signal")
    func peerGone() throws {
        let pair = Pair()
        pair.closePeer()
        let socket = BorrowedSocket(pair.ours)
        #expect { try socket.send([1].span, isFollowed: false) } throws: { ($0 as? SystemCallError)?.errno == EPIPE }
        #expect { try socket.send([1].span, [2].span) } throws: { ($0 as? SystemCallError)?.errno == EPIPE }
    }

    @Test("what is no TCP socket cannot be corked")
    func cork() {
        let pair = Pair()
        #expect(throws: SystemCallError.self) { try BorrowedSocket(pair.ours).setCork(true) }
    }
}
