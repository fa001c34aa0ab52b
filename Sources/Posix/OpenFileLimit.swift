import Glibc

/// How many descriptors this process may have open.
package enum OpenFileLimit {
    /// Raises the soft limit to the hard one, and returns what it is then.
    ///
    /// A connection each for thousands of clients does not fit into the customary 1,024.
    @discardableResult
    package static func raise() -> Int {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(files, &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = unsafe setrlimit(files, &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }
}
