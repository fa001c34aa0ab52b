import DiskStore
import FoundationEssentials
import Glibc
import MirrorTesting
import Posix
import Testing

@Suite("Data directory", .timeLimit(.minutes(1)))
struct DataDirectoryTests {
    let parent: TemporaryDirectory

    init() throws {
        parent = try TemporaryDirectory("data")
    }

    var path: String { parent.path("data") }

    @Test("taking it makes it, and writes who has it")
    func acquire() throws {
        let directory = try DataDirectory.acquire(path: path)
        #expect(directory.indexPath == "\(path)/index")
        #expect(try File.status(of: directory.indexPath)?.kind == .directory)
        let owner = try JSONDecoder().decode(DirectoryOwner.self, from: Data(parent.bytes("data/tidepool.lock")))
        #expect(owner.processID == getpid())
        #expect(owner.host == Host.name)
        #expect(owner.bootID == Host.bootID)
        #expect(!owner.command.isEmpty)
        #expect(owner.started.hasPrefix("20"))
        directory.release()
    }

    @Test("it has one owner, whom the other is told")
    func held() throws {
        let first = try DataDirectory.acquire(path: path)
        let error = #expect(throws: DataDirectoryError.self) { _ = try DataDirectory.acquire(path: path) }
        guard case .held(let heldPath, let owner?)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(heldPath == path)
        #expect(owner.processID == getpid())
        #expect(error?.description.contains("process \(getpid()) on host \(Host.name)") == true)
        #expect(error?.description.contains("--lock-wait") == true)
        first.release()
        try DataDirectory.acquire(path: path).release()
    }

    @Test("dropping it gives it back")
    func dropped() throws {
        do { _ = try DataDirectory.acquire(path: path) }
        try DataDirectory.acquire(path: path).release()
    }

    @Test("another process's lock holds, and ends with the process, however that ends")
    func otherProcess() async throws {
        try parent.write(
            #"{"boot_id":"b","command":"tidepool","host":"elsewhere","pid":7,"started":"2026-01-02T03:04:05Z"}"#,
            to: "data/tidepool.lock"
        )
        let child = try await holdLock()
        let error = #expect(throws: DataDirectoryError.self) { _ = try DataDirectory.acquire(path: path) }
        #expect(
            error?.description
                .contains(
                    "tidepool, process 7 on host elsewhere (another machine or boot), since 2026-01-02T03:04:05Z"
                ) == true
        )
        child.kill()
        await child.waitForExit()
        try DataDirectory.acquire(path: path).release()
    }

    @Test("the kernel's lock counts, not what is written in the file")
    func staleOwner() throws {
        try parent.write(
            #"{"boot_id":"b","command":"tidepool","host":"elsewhere","pid":1,"started":"2026-01-02T03:04:05Z"}"#,
            to: "data/tidepool.lock"
        )
        let directory = try DataDirectory.acquire(path: path)
        #expect(!parent.read("data/tidepool.lock").contains("elsewhere"))
        directory.release()
        #expect(parent.read("data/tidepool.lock").isEmpty)
    }

    @Test("an owner that cannot be read is an owner all the same", arguments: ["", "{", "[1]"])
    func unreadableOwner(text: String) async throws {
        try parent.write(text, to: "data/tidepool.lock")
        let child = try await holdLock()
        #expect(throws: DataDirectoryError.held(path: path, by: nil)) { _ = try DataDirectory.acquire(path: path) }
        child.kill()
        await child.waitForExit()
    }

    @Test("waiting gets it when the owner lets go")
    func waits() async throws {
        let first = try DataDirectory.acquire(path: path)
        let path = path
        let (refused, report) = AsyncStream<Void>.makeStream()
        let thread = Mailbox<Result<DataDirectory, DataDirectoryError>>()
        let waiter = DedicatedThread(name: "waiter") {
            report.yield()
            let result = Result { () throws(DataDirectoryError) in
                try DataDirectory.acquire(path: path, waitingUpTo: .seconds(30))
            }
            _ = thread.post(result)
        }
        for await _ in refused { break }
        first.release()
        waiter.join()
        try taken(from: thread).get().release()
    }

    @Test("waiting ends")
    func waitsNotForEver() throws {
        let first = try DataDirectory.acquire(path: path)
        let error = #expect(throws: DataDirectoryError.self) {
            _ = try DataDirectory.acquire(path: path, waitingUpTo: .milliseconds(120))
        }
        guard case .held? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        first.release()
    }

    @Test("what a killed process left is removed, but for its data")
    func remains() throws {
        try parent.write("", to: "data/control.sock")
        try parent.write("old", to: "data/index/lock.mdb")
        try parent.write("data", to: "data/index/data.mdb")
        let directory = try DataDirectory.acquire(path: path)
        #expect(parent.files(under: "data").sorted() == ["index/data.mdb", "tidepool.lock"])
        #expect(directory.controlSocketPath == "\(path)/control.sock")
        directory.release()
    }

    @Test("nothing is removed from a directory that another has")
    func remainsOfTheLiving() throws {
        let first = try DataDirectory.acquire(path: path)
        try parent.write("", to: "data/control.sock")
        #expect(throws: DataDirectoryError.self) { _ = try DataDirectory.acquire(path: path) }
        #expect(parent.files(under: "data").contains("control.sock"))
        first.release()
    }

    @Test("a path that cannot be a directory says why")
    func unusable() throws {
        let file = try parent.write("", to: "file")
        let error = #expect(throws: DataDirectoryError.self) { _ = try DataDirectory.acquire(path: "\(file)/data") }
        #expect(error?.description.contains("\(file)") == true)
        #expect(error?.description.contains("Not a directory") == true)
    }

    @Test("a read-only directory says so", .enabled(if: SmallFileSystem.isAvailable, "mounting needs root"))
    func readOnly() throws {
        let disk = try SmallFileSystem(bytes: 1 << 20)
        try disk.makeReadOnly()
        let error = #expect(throws: DataDirectoryError.self) { _ = try DataDirectory.acquire(path: disk.path("data")) }
        #expect(error?.description.contains("read-only") == true)
    }

    @Test("a network file system is refused by name")
    func networkFileSystem() {
        let error = DataDirectoryError.networkFileSystem(path: "/srv/data/index", name: "NFS")
        #expect(error.description.hasPrefix("/srv/data/index is on a network file system (NFS)"))
    }

    /// Has another process take the lock, and returns when it has it.
    private func holdLock() async throws -> ChildProcess {
        let ready = parent.path("ready")
        try #require(mkfifo(ready, 0o600) == 0)
        // Opens the FIFO and writes nothing: a write after the reader has gone would be the end of it.
        let script = ": > '\(ready)'; exec sleep 600"
        let child = try await ChildProcess.launch(
            ["/usr/bin/flock", "--close", "\(path)/tidepool.lock", "/bin/sh", "-c", script],
            environment: ["PATH": "/usr/bin:/bin"],
            output: "/dev/null",
            errors: "/dev/null"
        )
        // Opening it for reading waits for the writer, which has the lock by then.
        let descriptor = open(ready, O_RDONLY)
        try #require(descriptor >= 0)
        close(descriptor)
        unlink(ready)
        return child
    }

    private func taken(
        from mailbox: Mailbox<Result<DataDirectory, DataDirectoryError>>
    ) throws -> Result<DataDirectory, DataDirectoryError> {
        try #require(mailbox.take()?.first)
    }
}
