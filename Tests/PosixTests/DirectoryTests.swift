import Glibc
import MirrorTesting
import Posix
import Testing

@Suite("Directories and names", .timeLimit(.minutes(1)))
struct DirectoryTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory("posix")
    }

    @Test("a directory is made with the missing ones above it, and once")
    func make() throws {
        let path = directory.path("a/b/c")
        #expect(try Directory.make(path))
        #expect(try !Directory.make(path))
        #expect(try File.status(of: path)?.kind == .directory)
        try Directory.synchronize(path)
    }

    @Test("a file is in the way of a directory")
    func blocked() throws {
        let path = try directory.write("", to: "file")
        #expect(throws: SystemCallError(call: "mkdir", errno: ENOTDIR, path: path)) { try Directory.make(path) }
        #expect(throws: SystemCallError.self) { try Directory.make("\(path)/below") }
    }

    @Test("the names in a directory are all of them, without the dots")
    func names() throws {
        try directory.write("", to: "one")
        try directory.write("", to: ".two")
        try directory.makeDirectory("three")
        #expect(try Directory.names(in: directory.path).sorted() == [".two", "one", "three"])
        #expect(throws: SystemCallError(call: "opendir", errno: ENOENT, path: directory.path("none"))) {
            try Directory.names(in: directory.path("none"))
        }
    }

    @Test("what is no directory is not taken for an empty one")
    func noDirectory() throws {
        let file = try directory.write("", to: "file")
        #expect(throws: SystemCallError(call: "opendir", errno: ENOTDIR, path: file)) { try Directory.names(in: file) }
    }

    @Test(
        "the parent of a path",
        arguments: [
            ("/a/b", "/a"), ("/a", "/"), ("/", "/"), ("a/b", "a"), ("a", "."), ("", "."), ("/a/b/", "/a"), (".", "."),
        ]
    )
    func parent(path: String, expected: String) {
        #expect(Directory.parent(of: path) == expected)
    }

    @Test("renaming replaces what has the name")
    func rename() throws {
        let source = try directory.write("new", to: "source")
        let target = try directory.write("old", to: "target")
        try File.rename(source, to: target)
        #expect(directory.read("target") == "new")
        #expect(try File.status(of: source) == nil)
    }

    @Test("removing tells whether there was something")
    func remove() throws {
        let path = try directory.write("", to: "file")
        #expect(try File.remove(path))
        #expect(try !File.remove(path))
        #expect(throws: SystemCallError.self) { try File.remove(directory.path) }
    }

    @Test("a small file is read up to a limit")
    func contents() throws {
        let path = try directory.write("hello", to: "file")
        #expect(try File.contents(of: path, limit: 100) == Array("hello".utf8))
        #expect(try File.contents(of: path, limit: 2) == Array("he".utf8))
    }
}
