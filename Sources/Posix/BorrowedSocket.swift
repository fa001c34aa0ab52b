import Glibc

/// A connected socket whose calls do not wait, and that belongs to somebody else: good for as long as that keeps it open.
///
/// What a socket does not take now is not an error: less was sent then, or nothing.
package struct BorrowedSocket: Sendable {
    private let number: Int32

    package init(_ number: Int32) {
        self.number = number
    }

    /// Sends as much as the socket takes now, and returns how much; no signal comes of a peer that has gone.
    ///
    /// Where more is to follow at once, the system waits for it with a packet that is not full.
    package func send(_ bytes: Span<UInt8>, isFollowed: Bool) throws(SystemCallError) -> Int {
        let flags = Self.flags(isFollowed: isFollowed)
        return try sent { () throws(SystemCallError) in
            try check("send") {
                unsafe bytes.withUnsafeBytes { unsafe Glibc.send(number, $0.baseAddress, $0.count, flags) }
            }
        }
    }

    /// Sends two pieces, the one after the other, as far as the socket takes them now; returns how much.
    package func send(_ first: Span<UInt8>, _ second: Span<UInt8>) throws(SystemCallError) -> Int {
        try sent { () throws(SystemCallError) in
            try check("sendmsg") {
                unsafe first.withUnsafeBytes { first in
                    unsafe second.withUnsafeBytes { second in
                        // The call does not write to what the pieces point to.
                        var pieces = unsafe (
                            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
                            iovec(
                                iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress),
                                iov_len: second.count
                            )
                        )
                        return unsafe withUnsafeMutableBytes(of: &pieces) { pieces in
                            var message = unsafe msghdr()
                            unsafe message.msg_iov = pieces.baseAddress?.assumingMemoryBound(to: iovec.self)
                            unsafe message.msg_iovlen = 2
                            return unsafe sendmsg(number, &message, Self.flags(isFollowed: false))
                        }
                    }
                }
            }
        }
    }

    /// Sends part of a file, as far as the socket takes it now; returns how much: less, too, where the file ends before.
    ///
    /// Waits for the disk where memory does not hold that part: ask ``PageCache`` before. `SIGPIPE` must be ignored.
    package func send(_ file: Int32, _ range: Range<Int>) throws(SystemCallError) -> Int {
        var offset = off_t(range.lowerBound)
        return try sent { () throws(SystemCallError) in
            try check("sendfile") { unsafe sendfile(number, file, &offset, range.count) }
        }
    }

    /// Has the system send nothing but full packets, or no longer (`TCP_CORK`, tcp(7)).
    ///
    /// It may hold some of the bytes for up to 200 ms. Fails on a socket that is not TCP's, or has failed.
    package func setCork(_ isCorked: Bool) throws(SystemCallError) {
        var value: Int32 = isCorked ? 1 : 0
        try check("setsockopt") {
            unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    private static func flags(isFollowed: Bool) -> Int32 {
        Int32(MSG_NOSIGNAL) | (isFollowed ? Int32(MSG_MORE) : 0)
    }

    private func sent(_ call: () throws(SystemCallError) -> Int) throws(SystemCallError) -> Int {
        do throws(SystemCallError) {
            return try call()
        } catch {
            guard error.errno == EAGAIN else { throw error }
            return 0
        }
    }
}
