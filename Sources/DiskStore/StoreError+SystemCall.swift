import Glibc
import MirrorCore
import Posix

extension StoreError {
    init(_ error: SystemCallError) {
        self = error.isNoSpace ? .full : .failed(call: error.call, errno: error.errno)
    }

    /// The store was closed before the work could be done.
    static let closed = StoreError.failed(call: "store", errno: ESHUTDOWN)
    /// The spool takes no more: it was verified, or discarded under the writer's hands.
    static let ended = StoreError.failed(call: "append", errno: EBADF)
    /// The spool was never verified, or is not what it should be.
    static let unverified = StoreError.failed(call: "land", errno: EINVAL)
    /// A file or spool of another store.
    static let foreign = StoreError.failed(call: "store", errno: EINVAL)
    /// There is no such file.
    static let missing = StoreError(.missing(nil))
    /// The task was cancelled before it was done.
    static let cancelled = StoreError.failed(call: "store", errno: ECANCELED)
    /// Bytes that were to be stored do not have the digest that was given for them.
    static let wrongDigest = StoreError.failed(call: "store", errno: EBADMSG)
}

extension SystemCallError {
    /// There is no such file, or less of it than there should be.
    static func missing(_ path: String?) -> Self { Self(call: "open", errno: ENOENT, path: path) }

    /// The errno of a name that is something else than a file.
    static let notAFile = EINVAL
}

/// Runs system calls of the store, and tells their failures in the port's terms.
func storing<Value>(_ body: () throws(SystemCallError) -> Value) throws(StoreError) -> Value {
    do throws(SystemCallError) {
        return try body()
    } catch {
        throw StoreError(error)
    }
}
