import Glibc
import MirrorTesting
import Posix
import Testing

@Suite("Sockets with a name", .timeLimit(.minutes(1)))
struct LocalSocketTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory("socket")
    }

    @Test("the name is for its owner only, whatever the umask")
    func mode() throws {
        let path = directory.path("a.sock")
        let socket = try LocalSocket.bind(path)
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & S_IFMT == S_IFSOCK)
        #expect(status.st_mode & 0o777 == 0o600)
        extendLifetime(socket)
    }

    @Test("a name that is taken is not taken over")
    func taken() throws {
        let path = try directory.write("precious", to: "a.sock")
        #expect(throws: SystemCallError(call: "bind", errno: EADDRINUSE, path: path)) {
            _ = try LocalSocket.bind(path).takeRawValue()
        }
        #expect(directory.read("a.sock") == "precious")
    }

    @Test("a path longer than a socket's address is made and found through its directory", arguments: [107, 108, 300])
    func longPath(length: Int) throws {
        let name = "/a.sock"
        let missing = length - directory.path.utf8.count - name.utf8.count - 1
        // Two, as no name may have more than 255 bytes.
        let folders =
            directory.path("\(String(repeating: "d", count: missing / 2))/")
            + String(repeating: "e", count: missing - missing / 2 - 1)
        let path = folders + name
        #expect(path.utf8.count == length)
        try Directory.make(folders)
        let socket = try LocalSocket.bind(path)
        #expect(try File.status(of: path)?.kind == .other)
        let short = try LocalSocketName(path)
        #expect(short.text.utf8.count <= 107)
        #expect(try File.status(of: short.text)?.kind == .other)
        extendLifetime(short)
        extendLifetime(socket)
    }

    @Test("a last component that is too long by itself is refused")
    func longName() throws {
        let path = directory.path(String(repeating: "s", count: 200))
        #expect(throws: SystemCallError(call: "bind", errno: ENAMETOOLONG, path: path)) {
            _ = try LocalSocket.bind(path).takeRawValue()
        }
    }

    @Test("a directory that is missing is named")
    func noDirectory() throws {
        let path = directory.path("none/a.sock")
        #expect(throws: SystemCallError(call: "bind", errno: ENOENT, path: path)) {
            _ = try LocalSocket.bind(path).takeRawValue()
        }
    }
}
