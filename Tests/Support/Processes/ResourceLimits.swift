import Glibc

/// Limits of this process, which those that it starts inherit.
package enum ResourceLimits {
    /// Allows as many open files as the hard limit does.
    package static func raiseDescriptors() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
