import CPosix
import Glibc

/// Facts of the machine and the process, to tell one owner of a file from another.
package enum Host {
    /// The name of the machine or the container.
    package static var name: String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            unsafe buffer.initialize(repeating: 0)
            // One byte less than there is, so that a cut name still ends.
            guard let start = buffer.baseAddress, unsafe gethostname(start, buffer.count - 1) == 0 else {
                return "unknown"
            }
            return unsafe String(cString: start)
        }
    }

    /// What the kernel drew at its start: another one means that the machine was restarted.
    ///
    /// Empty where it is not told.
    package static var bootID: String {
        guard let bytes = try? File.contents(of: "/proc/sys/kernel/random/boot_id", limit: 64) else { return "" }
        return String(decoding: bytes.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// On how many processors this process may run (`taskset`, a CPU manager's pinning); `nil` where it is not told.
    package static var usableProcessors: Int? {
        let count = cposix_usable_processors()
        return count > 0 ? Int(count) : nil
    }

    package static var processID: Int32 { getpid() }

    /// The name of the program, without its arguments: those may hold secrets.
    package static var processName: String {
        let name = CommandLine.arguments.first ?? "unknown"
        return name.split(separator: "/").last.map(String.init) ?? name
    }
}
