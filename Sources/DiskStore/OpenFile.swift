import MirrorCore
import Posix
import Synchronization

/// An open file of the store: stored content, or a spool that still grows.
final class OpenFile: StoredFile {
    private let file: FileDescriptor
    private let length: Atomic<Int>
    /// The errno of a sync that failed, or 0.
    private let loss = Atomic<Int32>(0)
    /// Keeps eviction off while a reader has the file.
    private let lease: Lease?
    /// Whether it had a ``Mark`` when it was opened.
    private let isMarked: Bool

    init(_ file: consuming FileDescriptor, size: Int, lease: consuming Lease? = nil, isMarked: Bool = false) {
        self.file = file
        self.lease = lease
        self.isMarked = isMarked
        length = Atomic(size)
    }

    var descriptor: Int32 { file.rawValue }
    var size: Int { length.load(ordering: .acquiring) }

    var isUntouched: Bool {
        guard let status = try? status() else { return false }
        return status.size == size && (!isMarked || Mark.isOn(status))
    }

    /// Writes at the end, all or nothing; only ever one call at a time.
    func append(_ bytes: Span<UInt8>) throws(SystemCallError) {
        try requireSound()
        let end = size
        do throws(SystemCallError) {
            try file.write(bytes, at: end)
        } catch {
            // Gives back the room of what was written of it; where that fails, nobody reads past `size` all the same.
            try? file.truncate(to: end)
            throw error
        }
        // After the write, so that nobody reads past what is there.
        length.store(end + bytes.count, ordering: .releasing)
    }

    /// Reads up to `count` bytes: fewer only at the end of the file.
    func read(_ count: Int, at offset: Int) throws(SystemCallError) -> [UInt8] {
        try file.read(count, at: offset)
    }

    func status() throws(SystemCallError) -> FileStatus { try file.status() }

    /// Says that the content is known to be right: see ``Mark``; returns whether the file system keeps that.
    @discardableResult
    func mark() throws(SystemCallError) -> Bool { try Mark.set(on: file) }

    /// Waits until all that was appended is on the device.
    ///
    /// A failure is for good: the kernel tells of lost pages once, drops them, and calls the next sync a success.
    func synchronizeData() throws(SystemCallError) {
        try requireSound()
        do throws(SystemCallError) {
            try file.synchronizeData()
        } catch {
            loss.store(error.errno, ordering: .releasing)
            throw error
        }
    }

    /// Whether no sync has failed: bytes that were appended are still what they were.
    var isSound: Bool { loss.load(ordering: .acquiring) == 0 }

    private func requireSound() throws(SystemCallError) {
        let errno = loss.load(ordering: .acquiring)
        if errno != 0 { throw SystemCallError(call: "fdatasync", errno: errno) }
    }
}
