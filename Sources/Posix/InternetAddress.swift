package import Glibc

/// An IPv4 or IPv6 address with a port, as the system's calls have it.
package enum InternetAddress: Sendable {
    case v4(sockaddr_in)
    case v6(sockaddr_in6)

    package var port: Int {
        switch self {
        case .v4(let address): Int(UInt16(bigEndian: address.sin_port))
        case .v6(let address): Int(UInt16(bigEndian: address.sin6_port))
        }
    }

    /// The address without its port, in figures: `127.0.0.1`, `::1`.
    package var host: String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            guard let start = buffer.baseAddress, unsafe print(into: start, buffer.count) else { return "unknown" }
            return unsafe String(cString: start)
        }
    }

    private func print(into text: UnsafeMutablePointer<CChar>, _ size: Int) -> Bool {
        switch self {
        case .v4(let address):
            unsafe withUnsafePointer(to: address.sin_addr) {
                unsafe inet_ntop(AF_INET, $0, text, socklen_t(size)) != nil
            }
        case .v6(let address):
            unsafe withUnsafePointer(to: address.sin6_addr) {
                unsafe inet_ntop(AF_INET6, $0, text, socklen_t(size)) != nil
            }
        }
    }

    var family: Int32 {
        switch self {
        case .v4: AF_INET
        case .v6: AF_INET6
        }
    }

    /// Calls `body` with the address in the form that every such call takes.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch self {
        case .v4(let address): unsafe Self.rebind(address, body)
        case .v6(let address): unsafe Self.rebind(address, body)
        }
    }

    private static func rebind<Address, Result>(
        _ address: Address,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    /// Has a call write an address; `nil` when it fails, with its `errno`, or writes one of another family.
    static func written(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (
        status: Int32, address: InternetAddress?
    ) {
        // The larger of the two, which both begin with the family.
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, &length) }
        }
        switch Int32(address.sin6_family) {
        case AF_INET6: return (status, .v6(address))
        case AF_INET:
            let shorter = unsafe withUnsafeBytes(of: address) { unsafe $0.load(as: sockaddr_in.self) }
            return (status, .v4(shorter))
        default: return (status, nil)
        }
    }
}
