import Glibc

/// Operations on directories by name.
package enum Directory {
    /// Makes a directory and the missing ones above it, for their owner only.
    ///
    /// - Returns: whether the last one was made, and not there before.
    @discardableResult
    package static func make(_ path: String) throws(SystemCallError) -> Bool {
        do throws(SystemCallError) {
            try check("mkdir", path: path) { unsafe mkdir(path, 0o700) }
            return true
        } catch {
            switch error.errno {
            case EEXIST:
                try requireDirectory(path)
                return false
            case ENOENT:
                // Where the parent is there all the same (a directory that was removed, /proc), asking again is no use.
                let parent = parent(of: path)
                guard !path.isEmpty, parent != path, try make(parent) else { throw error }
                return try make(path)
            default: throw error
            }
        }
    }

    /// Removes an empty directory.
    package static func remove(_ path: String) throws(SystemCallError) {
        try check("rmdir", path: path) { unsafe rmdir(path) }
    }

    /// Waits until the names in a directory are on the device.
    package static func synchronize(_ path: String) throws(SystemCallError) {
        try FileDescriptor.open(path, .directory).synchronize()
    }

    /// The names in a directory, but for `.` and `..`, in no order.
    package static func names(in path: String) throws(SystemCallError) -> [String] {
        guard let stream = unsafe opendir(path) else {
            throw SystemCallError(call: "opendir", errno: errno, path: path)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            // The end and a failure both come as no entry, and only a failure sets errno: a directory that cannot be read
            // must not pass for an empty one.
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw SystemCallError(call: "readdir", errno: errno, path: path) }
                return names
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    /// The directory that a path is in.
    package static func parent(of path: String) -> String {
        var components = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !components.isEmpty else { return path.hasPrefix("/") ? "/" : "." }
        components.removeLast()
        let joined = components.joined(separator: "/")
        if path.hasPrefix("/") { return "/" + joined }
        return joined.isEmpty ? "." : joined
    }

    private static func requireDirectory(_ path: String) throws(SystemCallError) {
        var status = stat()
        try check("stat", path: path) { unsafe stat(path, &status) }
        guard FileStatus(status).kind == .directory else {
            throw SystemCallError(call: "mkdir", errno: ENOTDIR, path: path)
        }
    }
}
