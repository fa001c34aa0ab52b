import Glibc
package import Posix

/// A data directory that this process owns.
///
/// Ownership is a kernel lock on `tidepool.lock`, given back by ``release()`` or when the process ends, however it ends.
/// What is written in the file only tells people who has it: a process number means nothing in another container.
package final class DataDirectory: Sendable {
    package let path: String
    private let lock: DirectoryLock

    /// The directory of the index.
    package var indexPath: String { "\(path)/index" }
    /// The socket of the admin API.
    package var controlSocketPath: String { "\(path)/control.sock" }

    /// Takes possession of a directory, which is made when it is missing.
    ///
    /// Blocks: on the disk, and for up to `limit` while another process has it. Under the lock it removes what a process that
    /// was killed leaves behind: the control socket, and LMDB's own lock file.
    package static func acquire(
        path: String,
        waitingUpTo limit: Duration? = nil
    ) throws(DataDirectoryError) -> DataDirectory {
        try prepare(path)
        let deadline = ContinuousClock.now + (limit ?? .zero)
        while true {
            do throws(DataDirectoryError) {
                let directory = DataDirectory(path: path, lock: try DirectoryLock(in: path))
                try directory.removeRemains()
                return directory
            } catch {
                guard case .held = error, ContinuousClock.now < deadline else { throw error }
                usleep(pollInterval)
            }
        }
    }

    private init(path: String, lock: consuming DirectoryLock) {
        self.path = path
        self.lock = lock
    }

    /// Gives the directory back.
    package func release() {
        lock.release()
    }

    /// In microseconds; a file lock cannot be waited for with a limit.
    private static let pollInterval: UInt32 = 50_000

    /// Makes the directory, and refuses one that cannot work.
    private static func prepare(_ path: String) throws(DataDirectoryError) {
        do throws(SystemCallError) {
            try Directory.make(path)
            try Directory.make("\(path)/index")
        } catch {
            throw .unusable(path: path, error)
        }
        // The index may be on a volume of its own; LMDB's map and locks need a file system of this machine.
        let index = "\(path)/index"
        let kind: FileSystem.Kind
        do throws(SystemCallError) {
            kind = try FileSystem.containing(index).kind
        } catch {
            throw .unusable(path: index, error)
        }
        if case .network(let name) = kind { throw .networkFileSystem(path: index, name: name) }
    }

    private func removeRemains() throws(DataDirectoryError) {
        do throws(SystemCallError) {
            try File.remove(controlSocketPath)
            try File.remove("\(indexPath)/lock.mdb")
        } catch {
            throw .unusable(path: path, error)
        }
    }
}

/// Why a data directory cannot be used.
package enum DataDirectoryError: Error, Hashable {
    /// It cannot be made or written to.
    case unusable(path: String, SystemCallError)
    case networkFileSystem(path: String, name: String)
    /// Another process has it; the owner is absent when the file does not tell.
    case held(path: String, by: DirectoryOwner?)
}

extension DataDirectoryError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unusable(let path, let error): "the data directory \(path) cannot be used: \(error)"
        case .networkFileSystem(let path, let name):
            "\(path) is on a network file system (\(name)), where the index is not safe; put data_dir on a local disk"
        case .held(let path, let owner?):
            "the data directory \(path) belongs to another process: \(owner); stop it, wait for it with --lock-wait, "
                + "or choose another data_dir"
        case .held(let path, nil):
            "the data directory \(path) belongs to another process; stop it, wait for it with --lock-wait, "
                + "or choose another data_dir"
        }
    }
}
