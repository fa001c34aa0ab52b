import Glibc

/// What `stat` tells of a file.
package struct FileStatus: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case regular
        case directory
        case other
    }

    package var kind: Kind
    /// In bytes.
    package var size: Int
    /// The device that the file is on.
    package var device: UInt64
    /// When its content last changed, in nanoseconds since 1970; whoever owns the file can set it.
    package var modifiedNanoseconds: Int64
    /// When anything of it last changed (content, times, owner, name), in nanoseconds since 1970; only the kernel sets it.
    package var changedNanoseconds: Int64

    /// When its content last changed, in milliseconds since 1970.
    package var modified: Int64 { modifiedNanoseconds / 1_000_000 }

    /// Asks about an open file that somebody else owns.
    package init(descriptor: Int32) throws(SystemCallError) {
        var status = stat()
        try check("fstat") { unsafe fstat(descriptor, &status) }
        self.init(status)
    }

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        default: kind = .other
        }
        size = Int(status.st_size)
        device = UInt64(status.st_dev)
        modifiedNanoseconds = Self.nanoseconds(status.st_mtim)
        changedNanoseconds = Self.nanoseconds(status.st_ctim)
    }

    /// A time that does not fit (a file system that is damaged, or the year 2262) is the end of all.
    private static func nanoseconds(_ time: timespec) -> Int64 {
        let (whole, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowToo) = whole.addingReportingOverflow(Int64(time.tv_nsec))
        return overflow || overflowToo ? .max : sum
    }
}
