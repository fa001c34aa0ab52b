import Glibc

/// A system call that failed: which, why, and on what.
package struct SystemCallError: Error, Hashable, Sendable {
    /// The function's name: `rename`.
    package var call: String
    /// Its `errno`.
    package var errno: Int32
    /// The path that it was given, where there was one.
    package var path: String?

    package init(call: String, errno: Int32, path: String? = nil) {
        self.call = call
        self.errno = errno
        self.path = path
    }

    /// Whether there was no room: the device or the quota is full.
    package var isNoSpace: Bool { errno == ENOSPC || errno == EDQUOT }

    /// Whether the process or the system has run out of something: it says nothing of the file.
    package var isOfResources: Bool { [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(errno) }

    /// Whether the name does not exist.
    package var isMissing: Bool { errno == ENOENT || errno == ENOTDIR }
}

extension SystemCallError: CustomStringConvertible {
    package var description: String {
        let reason = Self.text(of: errno)
        guard let path else { return "\(call): \(reason)" }
        return "\(path): \(call): \(reason)\(remedy)"
    }

    /// What a person can do about the failures that people meet.
    private var remedy: String {
        switch errno {
        case EACCES, EPERM: " (the process runs as uid \(geteuid()); give it access, or choose another directory)"
        case EROFS: " (the file system is read-only)"
        case ENOSPC: " (free space on that file system, or lower cache.max_size)"
        case EDQUOT: " (the disk quota of uid \(geteuid()) is used up)"
        case EMFILE: " (raise the limit of open files: ulimit -n)"
        default: ""
        }
    }

    /// The C library's words for an `errno`.
    package static func text(of errno: Int32) -> String {
        // strerror is not safe among threads; strerror_r writes where it is told to.
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, unsafe strerror_r(errno, start, buffer.count) == 0 else {
                return "errno \(errno)"
            }
            return unsafe String(cString: start)
        }
    }
}

/// Repeats a call that a signal interrupted, and turns its failure into an error.
@discardableResult
func check<Status: SignedInteger>(
    _ call: String,
    path: String? = nil,
    _ body: () -> Status
) throws(SystemCallError) -> Status {
    while true {
        let status = body()
        if status >= 0 { return status }
        let code = errno
        if code != EINTR { throw SystemCallError(call: call, errno: code, path: path) }
    }
}
