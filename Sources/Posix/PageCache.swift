import CPosix
import Glibc

/// What the kernel holds of files in memory.
///
/// For a reader that must not wait for the disk: an event loop asks whether a window is there, and has a pool thread bring it
/// in when it is not.
package enum PageCache {
    /// Whether a read of that part of a file would not wait for the disk.
    ///
    /// Takes microseconds (one probe in 256 KiB). A file that cannot be probed counts as present: the read itself is then the
    /// one to fail or wait.
    package static func holds(_ descriptor: Int32, offset: Int, count: Int) -> Bool {
        cposix_is_resident(descriptor, offset, count) != 0
    }

    /// Appends that part of a file, if all of it can be read without waiting for the disk; returns whether it could.
    ///
    /// It could not, too, where the file is shorter or cannot be read, and on file systems that do not tell. There must be room.
    package static func append(
        _ descriptor: Int32,
        offset: Int,
        count: Int,
        to output: inout OutputRawSpan
    ) -> Bool {
        unsafe output.withUnsafeMutableBytes { buffer, filled in
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            guard count <= room.count,
                unsafe cposix_read_resident(descriptor, room.baseAddress, count, offset) == count
            else { return false }
            filled += count
            return true
        }
    }

    /// Reads that part of a file into memory, and waits for it: on a thread that may block.
    package static func readAhead(_ descriptor: Int32, offset: Int, count: Int) throws(SystemCallError) {
        try check("readahead") { cposix_read_ahead(descriptor, offset, count) }
    }

    /// Has reads through this descriptor bring in what they ask for, and nothing ahead of it.
    package static func readExactly(_ descriptor: Int32) {
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM)
    }

    /// Gives up what memory holds of that part of a file, as far as it is on the device; a hint, which cannot fail.
    ///
    /// What the kernel keeps in one piece (up to a megabyte or two) with bytes outside of that part stays.
    package static func drop(_ descriptor: Int32, offset: Int, count: Int) {
        _ = posix_fadvise(descriptor, offset, count, POSIX_FADV_DONTNEED)
    }
}
