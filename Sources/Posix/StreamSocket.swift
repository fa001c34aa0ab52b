import Glibc

/// A connected socket whose calls do not wait, closed when the value goes.
package struct StreamSocket: ~Copyable, Sendable {
    /// What a call to read has come to.
    package enum Received: Hashable, Sendable {
        case bytes(Int)
        /// The peer has closed its side.
        case end
        /// Nothing has come yet.
        case nothing
    }

    private let descriptor: FileDescriptor

    package init(takingOwnershipOf number: Int32) {
        descriptor = FileDescriptor(takingOwnershipOf: number)
    }

    /// The number, for calls that want one; not to be closed by them.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Gives the number away, to be closed by whoever takes it.
    package consuming func takeRawValue() -> Int32 { descriptor.takeRawValue() }

    /// Reads what has come, as far as it fits into `buffer`, from its start.
    package borrowing func receive(into buffer: inout [UInt8]) throws(SystemCallError) -> Received {
        let number = descriptor.rawValue
        do throws(SystemCallError) {
            let count = try check("recv") {
                unsafe buffer.withUnsafeMutableBytes { unsafe recv(number, $0.baseAddress, $0.count, 0) }
            }
            return count == 0 ? .end : .bytes(count)
        } catch {
            guard error.errno == EAGAIN else { throw error }
            return .nothing
        }
    }

    /// Sends what has been held back, and says that nothing follows.
    ///
    /// Closing does that too, unless the peer has sent something that was not read: then nothing more goes out.
    package borrowing func end() {
        // It fails when the peer has gone, who is told of nothing then.
        _ = shutdown(descriptor.rawValue, Int32(SHUT_WR))
    }
}
