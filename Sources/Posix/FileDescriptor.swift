import Glibc

/// An open file, closed when the value goes.
///
/// Reads and writes carry their offset, so that any number of threads may use it at once. Calls that a signal interrupts
/// are repeated. Every descriptor is close-on-exec.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The number, for calls that want one; not to be closed by them.
    package let rawValue: Int32

    package init(takingOwnershipOf rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Gives the number away, to be closed by whoever takes it.
    package consuming func takeRawValue() -> Int32 {
        let number = rawValue
        discard self
        return number
    }

    deinit {
        // The number is gone even where close reports an error; what must be on disk was synced before.
        _ = close(rawValue)
    }

    /// How to open a file.
    package enum Mode: Sendable {
        /// For reading; never waits (a FIFO), and never follows a symbolic link in the last component.
        case read
        /// For reading and writing; must exist; otherwise like `read`.
        case update
        /// For reading and writing; must not exist.
        case createNew
        /// For reading and writing; made when it does not exist.
        case openOrCreate
        /// A directory, for ``FileDescriptor/synchronize()``.
        case directory

        fileprivate var flags: Int32 {
            switch self {
            case .read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
            case .update: O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
            case .createNew: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            case .openOrCreate: O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC
            case .directory: O_RDONLY | O_DIRECTORY | O_CLOEXEC
            }
        }
    }

    /// Opens a file; one that is made is for its owner only, since cached content may be private.
    package static func open(_ path: String, _ mode: Mode) throws(SystemCallError) -> FileDescriptor {
        let number = try check("open", path: path) { unsafe Glibc.open(path, mode.flags, 0o600) }
        return FileDescriptor(takingOwnershipOf: number)
    }

    package borrowing func status() throws(SystemCallError) -> FileStatus {
        var status = stat()
        let number = rawValue
        try check("fstat") { unsafe fstat(number, &status) }
        return FileStatus(status)
    }

    /// Writes all of `bytes`, in as many calls as it takes.
    package borrowing func write(_ bytes: Span<UInt8>, at offset: Int) throws(SystemCallError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe try bytes.withUnsafeBufferPointer { buffer throws(SystemCallError) in
                let rest = unsafe UnsafeBufferPointer(rebasing: buffer[written...])
                return try unsafe writeSome(rest, at: offset + written)
            }
            // A regular file never takes nothing; do not spin if one does.
            guard count > 0 else { throw SystemCallError(call: "pwrite", errno: EIO) }
            written += count
        }
    }

    /// Reads up to `count` bytes: fewer only at the end of the file.
    package borrowing func read(_ count: Int, at offset: Int) throws(SystemCallError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = unsafe try bytes.withUnsafeMutableBufferPointer { buffer throws(SystemCallError) in
                let rest = unsafe UnsafeMutableBufferPointer(rebasing: buffer[filled...])
                return try unsafe readSome(into: rest, at: offset + filled)
            }
            if got == 0 { break }
            filled += got
        }
        bytes.removeSubrange(filled...)
        return bytes
    }

    package borrowing func truncate(to size: Int) throws(SystemCallError) {
        let number = rawValue
        try check("ftruncate") { ftruncate(number, size) }
    }

    /// Sets when its content last changed, in nanoseconds since 1970; the owner may, however the file was opened.
    package borrowing func setModified(_ nanoseconds: Int64) throws(SystemCallError) {
        let number = rawValue
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        // A time before 1970 has its nanoseconds counted upwards all the same.
        let isBefore = rest < 0
        let modified = timespec(
            tv_sec: Int(isBefore ? seconds - 1 : seconds),
            tv_nsec: Int(isBefore ? rest + 1_000_000_000 : rest)
        )
        let times = [timespec(tv_sec: 0, tv_nsec: Self.omitted), modified]
        try check("futimens") { unsafe futimens(number, times) }
    }

    /// UTIME_OMIT, which the Glibc module leaves out.
    private static let omitted = (1 << 30) - 2

    /// Waits until the content, and the size, are on the device.
    package borrowing func synchronizeData() throws(SystemCallError) {
        let number = rawValue
        try check("fdatasync") { fdatasync(number) }
    }

    /// Waits until everything is on the device; for a directory, its names.
    package borrowing func synchronize() throws(SystemCallError) {
        let number = rawValue
        try check("fsync") { fsync(number) }
    }

    /// Takes the advisory lock of the whole file without waiting; returns whether it did.
    ///
    /// The kernel gives it back when the last descriptor of this opening is closed, however the process ends.
    package borrowing func tryLock() throws(SystemCallError) -> Bool {
        let number = rawValue
        do throws(SystemCallError) {
            try check("flock") { flock(number, LOCK_EX | LOCK_NB) }
            return true
        } catch {
            guard error.errno == EWOULDBLOCK else { throw error }
            return false
        }
    }

    /// Gives the lock back at once, even while a process that is just being started still has the descriptor too.
    package borrowing func unlock() {
        let number = rawValue
        // It can only fail for what is no open file.
        _ = flock(number, LOCK_UN)
    }

    private borrowing func writeSome(
        _ bytes: UnsafeBufferPointer<UInt8>,
        at offset: Int
    ) throws(SystemCallError) -> Int {
        let number = rawValue
        return try check("pwrite") { unsafe pwrite(number, bytes.baseAddress, bytes.count, offset) }
    }

    private borrowing func readSome(
        into buffer: UnsafeMutableBufferPointer<UInt8>,
        at offset: Int
    ) throws(SystemCallError) -> Int {
        let number = rawValue
        return try check("pread") { unsafe pread(number, buffer.baseAddress, buffer.count, offset) }
    }
}
