import CPosix
import Glibc

/// A set of descriptors to wait for: those that there is something to read from.
///
/// A descriptor leaves the set when it is closed, unless a copy of it is open elsewhere.
package final class Epoll: Sendable {
    private let descriptor: FileDescriptor

    package init() throws(SystemCallError) {
        descriptor = FileDescriptor(takingOwnershipOf: try check("epoll_create1") { cposix_epoll_create() })
    }

    package func add(_ number: Int32) throws(SystemCallError) {
        try check("epoll_ctl") { cposix_epoll_add(descriptor.rawValue, number) }
    }

    /// Takes out what is in the set.
    package func remove(_ number: Int32) {
        let status = cposix_epoll_remove(descriptor.rawValue, number)
        precondition(status == 0, "descriptor \(number) was not waited for")
    }

    /// Waits until there is something to read, an end or a failure included, for so long at most; `nil` is for ever.
    ///
    /// `ready` is given what there is: up to 256 numbers.
    @available(*, noasync, message: "waits for input; call it on a thread of your own")
    package func wait(for duration: Duration?, _ ready: inout [Int32]) {
        // Up to the next millisecond: a wait that is too short would only be repeated.
        let milliseconds = duration.map { Int32(clamping: Int64(($0 / .milliseconds(1)).rounded(.up))) } ?? -1
        let number = descriptor.rawValue
        ready.removeAll(keepingCapacity: true)
        ready.append(contentsOf: repeatElement(0, count: Self.most))
        let count = unsafe ready.withUnsafeMutableBufferPointer { buffer in
            while true {
                let count = unsafe cposix_epoll_wait(number, buffer.baseAddress, Int32(Self.most), milliseconds)
                if count >= 0 { return Int(count) }
                // All other failures are of arguments.
                precondition(errno == EINTR, "epoll_wait: \(SystemCallError.text(of: errno))")
            }
        }
        ready.removeSubrange(count...)
    }

    private static let most = 256
}

/// Tells one thread, through the set that it waits for, that it should look up.
package final class EventDescriptor: Sendable {
    private let descriptor: FileDescriptor

    package init() throws(SystemCallError) {
        descriptor = FileDescriptor(takingOwnershipOf: try check("eventfd") { cposix_event_descriptor() })
    }

    /// The number, to wait for.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Makes it one that there is something to read from, for good.
    package func signal() {
        var one: UInt64 = 1
        // It can only fail when it was signalled more often than it can count.
        _ = unsafe write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }
}
