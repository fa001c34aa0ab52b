import Glibc

/// Operations on files by name.
package enum File {
    /// Gives a file another name, atomically, replacing what has it.
    package static func rename(_ source: String, to target: String) throws(SystemCallError) {
        try check("rename", path: source) { unsafe Glibc.rename(source, target) }
    }

    /// Removes a name; returns whether there was one.
    @discardableResult
    package static func remove(_ path: String) throws(SystemCallError) -> Bool {
        do throws(SystemCallError) {
            try check("unlink", path: path) { unsafe unlink(path) }
            return true
        } catch {
            guard error.isMissing else { throw error }
            return false
        }
    }

    /// What has this name (a symbolic link is not followed), or `nil` when nothing has it.
    package static func status(of path: String) throws(SystemCallError) -> FileStatus? {
        var status = stat()
        do throws(SystemCallError) {
            try check("lstat", path: path) { unsafe lstat(path, &status) }
            return FileStatus(status)
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    /// Reads a small file; what lies past `limit` bytes is left out.
    package static func contents(of path: String, limit: Int) throws(SystemCallError) -> [UInt8] {
        try FileDescriptor.open(path, .read).read(limit, at: 0)
    }
}
