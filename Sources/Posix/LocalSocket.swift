import Glibc

/// Unix sockets with a name in the file system.
package enum LocalSocket {
    /// Makes a stream socket of that name, which only this process's user may connect to; it does not listen yet.
    ///
    /// Fails when the name exists, with `EADDRINUSE`.
    package static func bind(_ path: String) throws(SystemCallError) -> FileDescriptor {
        let number = try check("socket") { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        let descriptor = FileDescriptor(takingOwnershipOf: number)
        // Before bind, which makes the name with the socket's own mode: so there is no moment at which anybody else may
        // connect. The other way, umask, is the whole process's.
        try check("fchmod", path: path) { fchmod(number, 0o600) }
        let name = try LocalSocketName(path)
        try bind(number, to: name.text, path)
        extendLifetime(name)
        return descriptor
    }

    private static func bind(_ number: Int32, to name: String, _ path: String) throws(SystemCallError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // One byte stays 0, the end.
        guard name.utf8.count <= LocalSocketName.longest else {
            throw SystemCallError(call: "bind", errno: ENAMETOOLONG, path: path)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name.utf8) }
        try check("bind", path: path) {
            unsafe withUnsafePointer(to: address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe Glibc.bind(number, address, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
    }
}

/// A path that fits into a socket's address.
///
/// There is room for 107 bytes (unix(7)). A longer path is reached through its directory, which this value holds open: so
/// it must live for as long as ``text`` is used.
package struct LocalSocketName: ~Copyable, Sendable {
    static let longest = 107

    /// The path to connect or bind to.
    package let text: String
    private let directory: FileDescriptor?

    package init(_ path: String) throws(SystemCallError) {
        guard path.utf8.count > Self.longest else {
            text = path
            directory = nil
            return
        }
        let directory = try FileDescriptor.open(Directory.parent(of: path), .directory)
        let name = path.split(separator: "/").last ?? ""
        text = "/proc/self/fd/\(directory.rawValue)/\(name)"
        self.directory = .some(directory)
    }
}
