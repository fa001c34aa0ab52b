import Posix

/// How a stored file says that nobody has touched it since its content was last known to be right.
///
/// Its modification time is set to a fixed age: some 31 years before its status change time. Whatever writes to the file, cuts
/// it short, replaces it, copies it or restores it (with its times or without) makes one of the two times another, and only
/// the kernel can set the second. So one `fstat`, which is needed for the size anyhow, tells whether the file must be hashed
/// again. It says nothing of a disk that rots: the scrub is for that.
///
/// The mark is set when the bytes and the name are on the device, and is not synced itself: where there is a mark, there
/// was all of the file.
enum Mark {
    /// 10⁹ seconds, in nanoseconds: far from any age that a file is made with.
    private static let age: Int64 = 1_000_000_000_000_000_000
    /// In nanoseconds: some go by between reading the clock and setting the times.
    ///
    /// It is short, since what happens within it after a landing could be hidden by putting the time back.
    private static let tolerance: Int64 = 2_000_000
    /// The kernel's clock for files is some milliseconds late, and a thread may lose its processor in mid-call.
    private static let attempts = 10

    static func isOn(_ status: FileStatus) -> Bool {
        let drift = status.changedNanoseconds &- status.modifiedNanoseconds &- age
        return drift.magnitude <= tolerance
    }

    /// Marks a file, and returns whether the mark holds.
    static func set(on file: borrowing FileDescriptor) throws(SystemCallError) -> Bool {
        var now = WallClock.nanoseconds
        for _ in 0..<attempts {
            try file.setModified(now &- age)
            let status = try file.status()
            if isOn(status) { return true }
            // What the file system's clock said, which may be another machine's.
            now = status.changedNanoseconds
        }
        return false
    }

    /// Whether the file system of a directory keeps what marks are made of; makes a file there, and removes it.
    static func isKept(in layout: Layout) -> Bool {
        let path = layout.newTemporary()
        defer { _ = try? File.remove(path) }
        do throws(SystemCallError) {
            guard try set(on: FileDescriptor.open(path, .createNew)) else { return false }
            guard let status = try File.status(of: path) else { return true }
            return isOn(status)
        } catch {
            // A disk without room: nothing is known against its times.
            return true
        }
    }
}
