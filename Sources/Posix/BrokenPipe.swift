import Glibc

/// What the process does when it writes to a socket or pipe whose reader has gone.
package enum BrokenPipe {
    /// Makes such writes fail with `EPIPE`, where by default the signal would end the process.
    ///
    /// For the whole process, and for good. libcurl leaves it to the program where it may not touch signals itself
    /// (`CURLOPT_NOSIGNAL`).
    package static func ignoreSignal() { _ = isIgnored }

    private static let isIgnored: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return true
    }()
}
