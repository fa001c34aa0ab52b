import MirrorCore
import NIOCore
import NIOPosix
import Posix

/// Reads files on a pool of threads, so that a slow disk never holds up an event loop.
///
/// Takes `StoredFile`s and not descriptors, so that none is closed while a thread reads from it.
struct FileAccess: Sendable {
    private let pool: NIOThreadPool
    private let reads: NonBlockingFileIO

    init(pool: NIOThreadPool) {
        self.pool = pool
        reads = NonBlockingFileIO(threadPool: pool)
    }

    /// Brings part of a file into the page cache, so that `sendfile` will not wait for the disk.
    ///
    /// - Returns: `nil` when it is there already. Failing to read is left to the sending, which fails for the same reason.
    func readAhead(
        _ range: Range<Int>,
        of file: any StoredFile,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Void>? {
        guard !PageCache.holds(file.descriptor, offset: range.lowerBound, count: range.count) else { return nil }
        return pool.runIfActive(eventLoop: eventLoop) {
            try PageCache.readAhead(file.descriptor, offset: range.lowerBound, count: range.count)
        }
    }

    /// Reads part of a file into memory: for what cannot be sent straight from the file.
    func read(
        _ region: FileRegion,
        allocator: ByteBufferAllocator,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<ByteBuffer> {
        reads.read(fileRegion: region, allocator: allocator, eventLoop: eventLoop)
    }
}

/// Lends a stored file's descriptor to NIO, which insists on owning it.
///
/// The file object closes the descriptor; so NIO's handle is disarmed before it goes. Keep the lender until the last
/// write that uses ``handle`` is done.
final class LentDescriptor {
    let handle: NIOFileHandle
    let file: any StoredFile

    init(_ file: any StoredFile) {
        self.file = file
        // The initialiser's name warns of this very situation; `NIOFileSystem`, which is recommended instead, cannot make
        // a file region.
        handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: file.descriptor)
    }

    deinit {
        // Throws only when the handle was closed before, which nobody does.
        _ = try? handle.takeDescriptorOwnership()
    }

    func region(_ range: Range<Int>) -> FileRegion {
        FileRegion(fileHandle: handle, readerIndex: range.lowerBound, endIndex: range.upperBound)
    }
}
