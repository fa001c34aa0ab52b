import Glibc
import MirrorTesting
import Posix
import Testing

@Suite("File descriptor", .timeLimit(.minutes(1)))
struct FileDescriptorTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory("posix")
    }

    @Test("what is written at an offset is read back there")
    func roundTrip() throws {
        let file = try FileDescriptor.open(directory.path("file"), .createNew)
        try file.write(Array("world".utf8).span, at: 6)
        try file.write(Array("hello ".utf8).span, at: 0)
        #expect(try file.read(11, at: 0) == Array("hello world".utf8))
        #expect(try file.status().size == 11)
        #expect(try file.status().kind == .regular)
    }

    @Test("a read past the end gives what there is")
    func shortRead() throws {
        let file = try FileDescriptor.open(directory.path("file"), .createNew)
        try file.write([1, 2, 3].span, at: 0)
        #expect(try file.read(10, at: 1) == [2, 3])
        #expect(try file.read(10, at: 3).isEmpty)
    }

    @Test("a new file may not exist yet")
    func exclusive() throws {
        let path = try directory.write("", to: "file")
        let error = #expect(throws: SystemCallError.self) { _ = try FileDescriptor.open(path, .createNew) }
        #expect(error == SystemCallError(call: "open", errno: EEXIST, path: path))
    }

    @Test("a file that is to be changed must be there, and be no link")
    func update() throws {
        let path = directory.path("file")
        #expect(throws: SystemCallError(call: "open", errno: ENOENT, path: path)) {
            _ = try FileDescriptor.open(path, .update)
        }
        try directory.write("hello", to: "file")
        let file = try FileDescriptor.open(path, .update)
        try file.write(Array("J".utf8).span, at: 0)
        try file.truncate(to: 4)
        #expect(directory.read("file") == "Jell")
        #expect(symlink(path, directory.path("link")) == 0)
        #expect(throws: SystemCallError(call: "open", errno: ELOOP, path: directory.path("link"))) {
            _ = try FileDescriptor.open(directory.path("link"), .update)
        }
    }

    @Test("when a file changed is told in milliseconds")
    func modified() throws {
        let file = try FileDescriptor.open(directory.path("file"), .createNew)
        let times = [timespec(), timespec(tv_sec: 1_234_567, tv_nsec: 890_999_999)]
        #expect(futimens(file.rawValue, times) == 0)
        #expect(try file.status().modified == 1_234_567_890)
    }

    @Test("a new file is for its owner only")
    func permissions() throws {
        let file = try FileDescriptor.open(directory.path("file"), .createNew)
        var status = stat()
        #expect(fstat(file.rawValue, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test("reading does not follow a symbolic link")
    func symbolicLink() throws {
        let target = try directory.write("secret", to: "target")
        let link = directory.path("link")
        #expect(symlink(target, link) == 0)
        let error = #expect(throws: SystemCallError.self) { _ = try FileDescriptor.open(link, .read) }
        #expect(error?.errno == ELOOP)
    }

    @Test("reading does not wait for the other end of a FIFO")
    func fifo() throws {
        let path = directory.path("fifo")
        #expect(mkfifo(path, 0o600) == 0)
        #expect(try FileDescriptor.open(path, .read).status().kind == .other)
    }

    @Test("the descriptor is closed when its owner goes")
    func closes() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let reading = FileDescriptor(takingOwnershipOf: ends[0])
        do {
            let writing = FileDescriptor(takingOwnershipOf: ends[1])
            #expect(write(writing.rawValue, "x", 1) == 1)
        }
        var byte: UInt8 = 0
        #expect(read(reading.rawValue, &byte, 1) == 1)
        // The end of the stream: nobody has the other end any more.
        #expect(read(reading.rawValue, &byte, 1) == 0)
    }

    @Test("one opening has the lock at a time, and closing gives it back")
    func lock() throws {
        let path = directory.path("lock")
        let second = try FileDescriptor.open(path, .openOrCreate)
        do {
            let first = try FileDescriptor.open(path, .openOrCreate)
            #expect(try first.tryLock())
            #expect(try !second.tryLock())
        }
        #expect(try second.tryLock())
    }

    @Test("a write that the disk refuses says so", .enabled(if: SmallFileSystem.isAvailable, "mounting needs root"))
    func full() throws {
        let disk = try SmallFileSystem(bytes: 64 << 10)
        let file = try FileDescriptor.open(disk.path("file"), .createNew)
        let error = #expect(throws: SystemCallError.self) {
            try file.write([UInt8](repeating: 7, count: 1 << 20).span, at: 0)
        }
        #expect(error?.isNoSpace == true)
    }

    @Test("an error names the call, the path and a remedy")
    func description() {
        let error = SystemCallError(call: "open", errno: EROFS, path: "/data/blobs")
        #expect(error.description == "/data/blobs: open: Read-only file system (the file system is read-only)")
        #expect(SystemCallError(call: "fsync", errno: EIO).description == "fsync: Input/output error")
    }
}
