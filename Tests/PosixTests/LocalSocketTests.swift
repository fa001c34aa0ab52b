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
        let folders = directory.path + "/" + String(repeating: "d", count: 50)
        let missing = max(1, length - folders.utf8.count - 1)
        let path =
            folders + String(repeating: "/", count: missing > 200 ? 2 : 1)
            + String(repeating: "s", count: missing > 200 ? missing - 1 : missing)
        #expect(path.utf8.count == length)
        try Directory.make(folders)
        let socket = try LocalSocket.bind(path)
        #expect(try File.status(of: path)?.kind == .other)
        let name = try LocalSocketName(path)
        #expect(name.text.utf8.count <= 107)
        #expect(try File.status(of: name.text)?.kind == .other)
        extendLifetime(name)
        extendLifetime(socket)
    }

    @Test("a directory that is missing is named")
    func noDirectory() throws {
        let path = directory.path("none/a.sock")
        #expect(throws: SystemCallError(call: "bind", errno: ENOENT, path: path)) {
            _ = try LocalSocket.bind(path).takeRawValue()
        }
    }
}
