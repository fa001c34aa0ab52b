import MirrorTesting
import Testing

@testable import Posix

@Suite("File system")
struct FileSystemTests {
    static let mounts = """
        22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
        36 22 0:35 / /mnt/remote rw,nosuid,nodev shared:5 master:2 - fuse.sshfs user@host:/ rw,user_id=0
        37 22 0:36 / /mnt/plain rw - fuse.mergerfs a:b rw
        cut short
        """

    @Test("the directory for temporary files is local and has a size")
    func local() throws {
        let system = try FileSystem.containing("/tmp")
        #expect(system.kind == .local)
        #expect(system.totalBytes > 0)
        #expect((0...system.totalBytes).contains(system.freeBytes))
    }

    @Test("the size is that of the file system the path is on", .enabled(if: SmallFileSystem.isAvailable))
    func small() throws {
        let small = try SmallFileSystem(bytes: 1 << 20)
        let system = try FileSystem.containing(small.root)
        #expect(system.totalBytes == 1 << 20)
        #expect(system.freeBytes <= 1 << 20)
    }

    @Test("a path that is not there is an error")
    func missing() {
        #expect(throws: SystemCallError.self) { try FileSystem.containing("/nowhere/at/all") }
    }

    @Test(
        "the type of a mount is found by its device",
        arguments: [("254:0", "ext4"), ("0:35", "fuse.sshfs"), ("0:36", "fuse.mergerfs"), ("9:9", nil)]
    )
    func mountType(device: String, expected: String?) {
        #expect(FileSystem.mountType(ofDevice: device, in: Self.mounts) == expected)
    }

    @Test("the machine and the process have names")
    func host() {
        #expect(!Host.name.isEmpty)
        #expect(Host.bootID.count == 36)
        #expect(!Host.processName.contains("/"))
    }
}
