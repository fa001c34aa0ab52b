import MirrorCore
import Posix
import Synchronization

/// An open file of the store: stored content, or a spool that still grows.
final class OpenFile: StoredFile {
    private let file: FileDescriptor
    private let length: Atomic<Int>

    init(_ file: consuming FileDescriptor, size: Int) {
        self.file = file
        length = Atomic(size)
    }

    var descriptor: Int32 { file.rawValue }
    var size: Int { length.load(ordering: .acquiring) }

    /// Writes at the end, all or nothing; only ever one call at a time.
    func append(_ bytes: Span<UInt8>) throws(SystemCallError) {
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

    /// Waits until all that was appended is on the device.
    func synchronizeData() throws(SystemCallError) {
        try file.synchronizeData()
    }
}
