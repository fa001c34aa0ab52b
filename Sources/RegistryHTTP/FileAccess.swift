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
    private let pageCache: PageCacheCalls

    /// The calls of `PageCache`: descriptor, offset, count.
    struct PageCacheCalls: Sendable {
        var append: @Sendable (Int32, Int, Int, inout OutputRawSpan) -> Bool = {
            PageCache.append($0, offset: $1, count: $2, to: &$3)
        }
        var holds: @Sendable (Int32, Int, Int) -> Bool = { PageCache.holds($0, offset: $1, count: $2) }
        var readAhead: @Sendable (Int32, Int, Int) throws -> Void = {
            try PageCache.readAhead($0, offset: $1, count: $2)
        }
    }

    init(pool: NIOThreadPool, pageCache: PageCacheCalls = PageCacheCalls()) {
        self.pool = pool
        self.pageCache = pageCache
        reads = NonBlockingFileIO(threadPool: pool)
    }

    /// Brings part of a file into the page cache, so that `sendfile` will not wait for the disk.
    ///
    /// - Returns: `nil` when it is there already. Fails when the disk does: `sendfile` must not be tried then, since it would
    ///   wait for that disk on the event loop.
    func readAhead(
        _ range: Range<Int>,
        of file: any StoredFile,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Void>? {
        guard !hasAtHand(range, of: file) else { return nil }
        return pool.runIfActive(eventLoop: eventLoop) { [pageCache] in
            try pageCache.readAhead(file.descriptor, range.lowerBound, range.count)
        }
    }

    /// Whether part of a file can be sent without waiting for the disk.
    func hasAtHand(_ range: Range<Int>, of file: any StoredFile) -> Bool {
        pageCache.holds(file.descriptor, range.lowerBound, range.count)
    }

    /// Up to here copying costs less than having the kernel send the file.
    static let smallPart = 16 << 10

    /// Part of a file, if it is in memory; `nil` for what may have to wait for the disk, and what the file does not have.
    func contentsAtHand(
        _ range: Range<Int>,
        of file: any StoredFile,
        allocator: ByteBufferAllocator
    ) -> ByteBuffer? {
        var isComplete = false
        let buffer = allocator.buffer(capacity: range.count) { (output: inout OutputRawSpan) in
            isComplete = pageCache.append(file.descriptor, range.lowerBound, range.count, &output)
        }
        return isComplete ? buffer : nil
    }

    /// Why part of a file cannot be sent, if it cannot: the file ends before it, or cannot be looked at.
    func problem(with range: Range<Int>, of file: any StoredFile) -> String? {
        do {
            let size = try FileStatus(descriptor: file.descriptor).size
            return size < range.upperBound ? "the file has \(size) bytes, and should have \(range.upperBound)" : nil
        } catch {
            return "\(error)"
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
    private let file: any StoredFile

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
