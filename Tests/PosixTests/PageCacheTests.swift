import Glibc
import MirrorTesting
import Testing

@testable import Posix

@Suite("Page cache", .timeLimit(.minutes(1)))
struct PageCacheTests {
    static let isOnDisk = (try? FileSystem.mountType(of: "/tmp")) != "tmpfs"

    let directory: TemporaryDirectory
    let size = 1 << 20

    init() throws {
        directory = try TemporaryDirectory("cache")
    }

    @Test("what was just written is there")
    func written() throws {
        let file = try makeFile()
        #expect(PageCache.holds(file.rawValue, offset: 0, count: size))
        #expect(PageCache.holds(file.rawValue, offset: 12_345, count: 1))
    }

    @Test("what the kernel dropped is not there until it is read ahead", .enabled(if: isOnDisk, "/tmp is in memory"))
    func dropped() throws {
        let file = try makeFile()
        try file.synchronizeData()
        try drop(file)
        #expect(!PageCache.holds(file.rawValue, offset: 0, count: size))
        try PageCache.readAhead(file.rawValue, offset: 0, count: size)
        #expect(PageCache.holds(file.rawValue, offset: 0, count: size))
    }

    /// Has the kernel drop what it holds of the file, which it may put off while it is busy with it.
    private func drop(_ file: borrowing FileDescriptor) throws {
        for _ in 0..<1000 {
            try #require(posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_DONTNEED) == 0)
            if !PageCache.holds(file.rawValue, offset: 0, count: size) { return }
            usleep(1000)
        }
    }

    /// What is appended to one byte that is there already; `nil` when nothing is.
    private func appended(_ file: borrowing FileDescriptor, offset: Int, count: Int, room: Int) -> [UInt8]? {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: room + 1, alignment: 1)
        defer { memory.deallocate() }
        var output = OutputRawSpan(buffer: memory, initializedCount: 0)
        output.append(7)
        let isThere = PageCache.append(file.rawValue, offset: offset, count: count, to: &output)
        let filled = output.finalize(for: memory)
        #expect(filled == (isThere ? count + 1 : 1))
        return isThere ? Array(memory[1..<filled]) : nil
    }

    @Test("what memory has is appended whole, and nothing else")
    func append() throws {
        let file = try FileDescriptor.open(directory.path("short"), .createNew)
        try file.write([1, 2, 3, 4].span, at: 0)
        #expect(appended(file, offset: 1, count: 2, room: 2) == [2, 3])
        #expect(appended(file, offset: 1, count: 4, room: 100) == nil)
        #expect(appended(file, offset: 0, count: 4, room: 3) == nil)
    }

    @Test("what the kernel dropped is not appended", .enabled(if: isOnDisk, "/tmp is in memory"))
    func appendDropped() throws {
        let file = try makeFile()
        try file.synchronizeData()
        try drop(file)
        #expect(appended(file, offset: 0, count: size, room: size) == nil)
    }

    @Test("what is given up is not there any more", .enabled(if: isOnDisk, "/tmp is in memory"))
    func givenUp() throws {
        let file = try makeFile()
        try file.synchronizeData()
        PageCache.drop(file.rawValue, offset: 0, count: size)
        #expect(!PageCache.holds(file.rawValue, offset: 0, count: size))
        PageCache.drop(-1, offset: 0, count: 1)
    }

    @Test("an exact reader brings in what it asks for only", .enabled(if: isOnDisk, "/tmp is in memory"))
    func exact() throws {
        do { try makeFile().synchronizeData() }
        let file = try FileDescriptor.open(directory.path("file"), .read)
        PageCache.drop(file.rawValue, offset: 0, count: size)
        PageCache.readExactly(file.rawValue)
        _ = try file.read(size / 2, at: 0)
        #expect(PageCache.holds(file.rawValue, offset: 0, count: size / 2))
        // Nothing of the other half: not even its first page.
        #expect(!PageCache.holds(file.rawValue, offset: size / 2, count: 1))
    }

    @Test("a hole anywhere in the window is noticed", .enabled(if: isOnDisk, "/tmp is in memory"))
    func hole() throws {
        let file = try makeFile()
        try file.synchronizeData()
        try drop(file)
        try PageCache.readAhead(file.rawValue, offset: 0, count: 256 << 10)
        try PageCache.readAhead(file.rawValue, offset: 768 << 10, count: 256 << 10)
        #expect(!PageCache.holds(file.rawValue, offset: 0, count: size))
        #expect(PageCache.holds(file.rawValue, offset: 0, count: 256 << 10))
    }

    @Test("nothing past the end is waited for")
    func pastTheEnd() throws {
        let file = try makeFile()
        #expect(PageCache.holds(file.rawValue, offset: size, count: size))
        #expect(PageCache.holds(file.rawValue, offset: 0, count: 0))
        try PageCache.readAhead(file.rawValue, offset: size - 10, count: size)
    }

    @Test("reading ahead tells what reading would tell")
    func failure() {
        #expect(throws: SystemCallError(call: "readahead", errno: EBADF)) {
            try PageCache.readAhead(-1, offset: 0, count: 1)
        }
    }

    @Test(
        "in memory everything is there",
        .enabled(if: SmallFileSystem.isAvailable, "mounting needs root")
    )
    func inMemory() throws {
        let memory = try SmallFileSystem(bytes: 4 << 20)
        let file = try FileDescriptor.open(memory.path("file"), .createNew)
        try file.write([UInt8](repeating: 1, count: size).span, at: 0)
        #expect(PageCache.holds(file.rawValue, offset: 0, count: size))
    }

    private func makeFile() throws -> FileDescriptor {
        let file = try FileDescriptor.open(directory.path("file"), .createNew)
        try file.write([UInt8](repeating: 1, count: size).span, at: 0)
        return file
    }
}
