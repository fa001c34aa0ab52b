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
    }
}
