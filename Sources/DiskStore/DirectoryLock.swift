import FoundationEssentials
import Locking
import Posix

/// The lock on a data directory: an `flock` on a file in it that tells who has it.
final class DirectoryLock: Sendable {
    /// `nil` once released.
    private let file: Locked<OpenLock?>

    private final class OpenLock: Sendable {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }
    }

    /// Takes the lock, or fails with who has it.
    init(in directory: String) throws(DataDirectoryError) {
        let path = "\(directory)/tidepool.lock"
        let lock: OpenLock
        let isOurs: Bool
        var owner: DirectoryOwner?
        do throws(SystemCallError) {
            lock = OpenLock(try FileDescriptor.open(path, .openOrCreate))
            isOurs = try lock.file.tryLock()
            if isOurs {
                try DirectoryOwner.current.write(to: lock.file)
            } else {
                owner = try DirectoryOwner(readFrom: lock.file)
            }
        } catch {
            throw .unusable(path: directory, error)
        }
        guard isOurs else { throw .held(path: directory, by: owner) }
        file = Locked(lock)
    }

    deinit {
        release()
    }

    /// Gives it back, after emptying the file.
    ///
    /// The file stays: removing it would let two processes lock two files of one name.
    func release() {
        guard let held = file.withLock({ $0.take() }) else { return }
        try? held.file.truncate(to: 0)
        held.file.unlock()
    }
}

/// Who has a data directory, as it wrote itself into the lock file.
package struct DirectoryOwner: Hashable, Codable, Sendable {
    package var host: String
    package var bootID: String
    package var processID: Int32
    package var command: String
    /// In ISO 8601.
    package var started: String

    private enum CodingKeys: String, CodingKey {
        case host
        case bootID = "boot_id"
        case processID = "pid"
        case command
        case started
    }

    static var current: DirectoryOwner {
        let now = Date(timeIntervalSince1970: Double(WallClock.milliseconds / 1000))
        return DirectoryOwner(
            host: Host.name,
            bootID: Host.bootID,
            processID: Host.processID,
            command: Host.processName,
            started: now.formatted(.iso8601)
        )
    }

    /// Far more than an owner takes.
    private static let longest = 16 << 10
}

extension DirectoryOwner {
    /// Fails, with `nil`, when the file does not hold an owner (it is being written, or is of another program).
    init?(readFrom file: borrowing FileDescriptor) throws(SystemCallError) {
        let bytes = try file.read(Self.longest, at: 0)
        guard let owner = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else { return nil }
        self = owner
    }

    func write(to file: borrowing FileDescriptor) throws(SystemCallError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        // Strings and a number: encoding them cannot fail, and a lock without a name is a lock all the same.
        let bytes = [UInt8]((try? encoder.encode(self)) ?? Data()) + [UInt8(ascii: "\n")]
        try file.truncate(to: 0)
        try file.write(bytes.span, at: 0)
    }
}

extension DirectoryOwner: CustomStringConvertible {
    package var description: String {
        "\(command), process \(processID) on host \(host)\(isElsewhere ? " (another machine or boot)" : ""), since \(started)"
    }

    private var isElsewhere: Bool { bootID != Host.bootID }
}
