import Glibc
import NIOCore
import Posix

/// Why an address cannot be listened on.
package enum ListenError: Error, Hashable, Sendable {
    /// Not of the form `host:port`, or the host is no address of any machine.
    case invalidAddress(String)
    case portTaken(String)
    case notPermitted(String)
    /// No interface of this machine has the address.
    case notAvailable(String)
    case certificate(address: String, reason: String)
    case failed(address: String, reason: String)

    init(_ error: any Error, address: String) {
        if error is SocketAddressError || error is SocketAddressError.UnknownHost {
            self = .invalidAddress(address)
            return
        }
        switch (error as? IOError)?.errnoCode ?? (error as? SystemCallError)?.errno {
        case EADDRINUSE: self = .portTaken(address)
        case EACCES, EPERM: self = .notPermitted(address)
        case EADDRNOTAVAIL: self = .notAvailable(address)
        default: self = .failed(address: address, reason: "\(error)")
        }
    }
}

extension ListenError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidAddress(let address):
            "cannot listen on \(address): not an address; write host:port, such as 127.0.0.1:5000 or [::]:5000"
        case .portTaken(let address): "cannot listen on \(address): another process does already"
        case .notPermitted(let address):
            "cannot listen on \(address): not permitted; ports below 1024 need CAP_NET_BIND_SERVICE"
        case .notAvailable(let address): "cannot listen on \(address): this machine does not have the address"
        case .certificate(let address, let reason): "cannot listen on \(address) with TLS: \(reason)"
        case .failed(let address, let reason): "cannot listen on \(address): \(reason)"
        }
    }
}
