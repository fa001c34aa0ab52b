import CPosix
import Glibc

/// A TCP socket that takes connections, closed with the last reference to it.
///
/// No call of it waits.
package final class ListeningSocket: Sendable {
    /// What it is bound to: a port 0 has become a real one.
    package let address: InternetAddress
    private let descriptor: FileDescriptor

    /// Binds to `address` and listens; so many connections may wait to be taken.
    ///
    /// An IPv6 socket for all interfaces takes IPv4 connections too, where the system is not set up otherwise.
    package init(_ address: InternetAddress, backlog: Int) throws(SystemCallError) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let number = try check("socket") { socket(address.family, type, 0) }
        descriptor = FileDescriptor(takingOwnershipOf: number)
        // A port whose last connections are not forgotten yet can be bound again.
        try Self.turnOn(SO_REUSEADDR, SOL_SOCKET, of: number)
        // Accepted sockets inherit it, and need no call of their own.
        try Self.turnOn(TCP_NODELAY, Int32(IPPROTO_TCP), of: number)
        // Clients speak first: a connection is told of when its first bytes have come, or else after a second. Where the
        // system does not know it (it is Linux's own), connections are told of at once.
        try? Self.turnOn(TCP_DEFER_ACCEPT, Int32(IPPROTO_TCP), of: number)
        try check("bind") { unsafe address.withSocketAddress { unsafe bind(number, $0, $1) } }
        try check("listen") { listen(number, Int32(clamping: backlog)) }
        let (status, bound) = unsafe InternetAddress.written { unsafe getsockname(number, $0, $1) }
        try check("getsockname") { status }
        self.address = bound ?? address
    }

    /// The descriptor's number, to wait for connections.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Hands the next connection that waits to `take`, with its peer's address; returns whether there was one.
    ///
    /// The connection's calls do not wait either.
    package func accept(
        _ take: (consuming StreamSocket, InternetAddress?) -> Void
    ) throws(SystemCallError) -> Bool {
        let listener = descriptor.rawValue
        var peer: InternetAddress?
        do throws(SystemCallError) {
            let number = try check("accept") {
                let (number, address) = unsafe InternetAddress.written { unsafe cposix_accept(listener, $0, $1) }
                peer = address
                return number
            }
            take(StreamSocket(takingOwnershipOf: number), peer)
            return true
        } catch {
            guard error.errno == EAGAIN else { throw error }
            return false
        }
    }

    private static func turnOn(_ option: Int32, _ level: Int32, of number: Int32) throws(SystemCallError) {
        var one: Int32 = 1
        try check("setsockopt") {
            unsafe setsockopt(number, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
        }
    }
}
