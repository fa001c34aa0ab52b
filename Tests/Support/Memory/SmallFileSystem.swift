import Glibc

/// A file system of a fixed size in memory, to run out of space on.
///
/// Mounting takes privileges: check ``isAvailable``, and skip what needs it with that reason.
package final class SmallFileSystem: Sendable {
    private let directory: TemporaryDirectory

    package static let isAvailable = (try? SmallFileSystem(bytes: 1 << 20)) != nil

    /// Room for so many bytes, and where that matters for so many files and directories.
    package init(bytes: Int, files: Int? = nil) throws {
        directory = try TemporaryDirectory("small")
        let options = "size=\(bytes)" + (files.map { ",nr_inodes=\($0)" } ?? "")
        guard mount("tmpfs", directory.path, "tmpfs", 0, options) == 0 else {
            throw MountError(errno: errno)
        }
    }

    deinit {
        // Lazily: what is still open goes when it is closed.
        umount2(directory.path, Int32(MNT_DETACH))
    }

    package func makeReadOnly() throws {
        let flags = UInt(MS_REMOUNT) | UInt(MS_RDONLY)
        guard mount("tmpfs", directory.path, "tmpfs", flags, nil) == 0 else { throw MountError(errno: errno) }
    }

    package var root: String { directory.path }

    package func path(_ name: String) -> String { directory.path(name) }

    package struct MountError: Error {
        package var errno: Int32
    }
}
