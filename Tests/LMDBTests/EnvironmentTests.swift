import MirrorTesting
import Testing

@testable import LMDB

@Suite("LMDB environment", .timeLimit(.minutes(1)))
struct EnvironmentTests {
    let directory: TemporaryDirectory
    let environment: Environment
    let table: Table

    init() throws {
        directory = try TemporaryDirectory("lmdb")
        environment = try Environment(directory: directory.path, mapSize: 1 << 20, maxTables: 4, maxReaders: 2)
        table = try environment.write { transaction throws(LMDBError) in try transaction.table(named: "blobs") }
    }

    @Test("a value written is read back by a later snapshot")
    func roundTrip() throws {
        try put("value", for: "key")
        #expect(try value(for: "key") == "value")
        #expect(try value(for: "other") == nil)
    }

    @Test("a value takes the place of an earlier one")
    func replaces() throws {
        try put("one", for: "key")
        try put("two", for: "key")
        #expect(try value(for: "key") == "two")
        #expect(try environment.read { transaction throws(LMDBError) in try transaction.count(of: table) } == 1)
    }

    @Test("deleting tells whether there was something")
    func deletes() throws {
        try put("value", for: "key")
        let answers = try environment.write { transaction throws(LMDBError) in
            let key = Array("key".utf8)
            return [try transaction.delete(key.span, in: table), try transaction.delete(key.span, in: table)]
        }
        #expect(answers == [true, false])
        #expect(try value(for: "key") == nil)
    }

    @Test("a throwing body leaves nothing behind")
    func abort() throws {
        let error = #expect(throws: LMDBError.self) {
            try environment.write { transaction throws(LMDBError) in
                try transaction.put(Array("value".utf8).span, for: Array("key".utf8).span, in: table)
                try transaction.put(Array("value".utf8).span, for: [UInt8]().span, in: table)
            }
        }
        #expect(error?.code == .keyLength)
        #expect(try value(for: "key") == nil)
    }

    @Test("the longest key is taken, and the next is refused")
    func keyLength() throws {
        let longest = String(repeating: "k", count: Environment.maximumKeyLength)
        try put("value", for: longest)
        #expect(try value(for: longest) == "value")
        let error = #expect(throws: LMDBError.self) { try put("value", for: longest + "k") }
        #expect(error?.code == .keyLength)
    }

    @Test("a snapshot does not see what is written after it began")
    func snapshot() throws {
        try put("one", for: "key")
        let inside = try environment.read { transaction throws(LMDBError) in
            do { try put("two", for: "key") } catch { Issue.record(error) }
            let key = Array("key".utf8)
            return try transaction.withValue(for: key.span, in: table) { text($0) }
        }
        #expect(inside == "one")
        #expect(try value(for: "key") == "two")
    }

    @Test("a walk goes through the keys of a prefix, in order")
    func walk() throws {
        for key in ["b3", "a1", "b1", "c1", "b2"] { try put(key.uppercased(), for: key) }
        #expect(try walk("b") == Walk(entries: ["b1=B1", "b2=B2", "b3=B3"], isComplete: true))
        #expect(try walk("c") == Walk(entries: ["c1=C1"], isComplete: true))
        #expect(try walk("d") == Walk(entries: [], isComplete: true))
        #expect(try walk("") == Walk(entries: ["a1=A1", "b1=B1", "b2=B2", "b3=B3", "c1=C1"], isComplete: true))
    }

    @Test("a walk ends at its limit, and where its body says")
    func boundedWalk() throws {
        for key in ["b1", "b2", "b3"] { try put("", for: key) }
        #expect(try walk("b", limit: 2) == Walk(entries: ["b1=", "b2="], isComplete: false))
        #expect(try walk("b", limit: 0) == Walk(entries: [], isComplete: false))
        #expect(try walk("b", stopAfter: 1) == Walk(entries: ["b1="], isComplete: false))
    }

    @Test("a walk goes on after a key, which need not be there")
    func resumedWalk() throws {
        for key in ["a1", "b1", "b3", "c1"] { try put("", for: key) }
        #expect(try walk("b", after: "b1") == Walk(entries: ["b3="], isComplete: true))
        #expect(try walk("b", after: "b2") == Walk(entries: ["b3="], isComplete: true))
        #expect(try walk("b", after: "b3") == Walk(entries: [], isComplete: true))
        #expect(try walk("", after: "b3") == Walk(entries: ["c1="], isComplete: true))
        #expect(try walk("", after: "c1") == Walk(entries: [], isComplete: true))
        #expect(try walk("", limit: 1, after: "a1") == Walk(entries: ["b1="], isComplete: false))
    }

    @Test("the last key before a bound is found, at the end of the table too")
    func lastKey() throws {
        for key in ["b1", "b3"] { try put("", for: key) }
        let found = try environment.read { transaction throws(LMDBError) in
            var found: [String] = []
            for bound in ["a", "b1", "b2", "b3", "z"] {
                let key = try transaction.lastKey(before: Array(bound.utf8), in: table)
                found.append(key.map { String(decoding: $0, as: UTF8.self) } ?? "-")
            }
            return found
        }
        #expect(found == ["-", "-", "b1", "b1", "b3"])
    }

    @Test("pages of what was deleted are free, and are used again")
    func freePages() throws {
        let large = String(repeating: "x", count: 200_000)
        try put(large, for: "key")
        let used = environment.usage.usedBytes
        _ = try environment.write { transaction throws(LMDBError) in
            try transaction.delete(Array("key".utf8).span, in: table)
        }
        let free = try environment.read { transaction throws(LMDBError) in try transaction.freePageCount() }
        #expect(free >= 200_000 / 4096)
        try put("", for: "other")
        try put(large, for: "key")
        #expect(environment.usage.usedBytes < used + 100_000)
    }

    @Test("a full map is told as such, and what was there is still there")
    func mapFull() throws {
        try put("value", for: "key")
        let error = #expect(throws: LMDBError.self) {
            try put(String(repeating: "x", count: 2 << 20), for: "large")
        }
        #expect(error?.code == .mapFull)
        #expect(try value(for: "key") == "value")
        #expect(environment.usage.mapSize == 1 << 20)
        #expect(environment.usage.usedBytes <= 1 << 20)
    }

    @Test("too many readers at one time are told as such")
    func readersFull() throws {
        let error = #expect(throws: LMDBError.self) { try nestReads(3) }
        #expect(error?.code == .readersFull)
        try nestReads(2)
    }

    @Test(
        "a file of another kind is refused as damaged",
        arguments: ["short", String(repeating: "no LMDB ", count: 4096)]
    )
    func foreign(content: String) throws {
        let other = try TemporaryDirectory("lmdb")
        try other.write(content, to: "data.mdb")
        let error = #expect(throws: LMDBError.self) {
            _ = try Environment(directory: other.path, mapSize: 1 << 20, maxTables: 4, maxReaders: 2)
        }
        #expect(error?.code == .corrupted)
    }

    @Test("a missing directory is a system error")
    func missing() {
        let error = #expect(throws: LMDBError.self) {
            _ = try Environment(directory: "/nowhere", mapSize: 1 << 20, maxTables: 4, maxReaders: 2)
        }
        #expect(error?.code == .other(2))
        #expect(error?.call == "mdb_env_open")
    }

    @Test("an environment is empty until it has a table")
    func empty() throws {
        let other = try TemporaryDirectory("lmdb")
        let fresh = try Environment(directory: other.path, mapSize: 1 << 20, maxTables: 4, maxReaders: 2)
        #expect(try fresh.write { transaction throws(LMDBError) in try transaction.isEnvironmentEmpty() })
        #expect(try !environment.write { transaction throws(LMDBError) in try transaction.isEnvironmentEmpty() })
    }

    private struct Walk: Equatable {
        var entries: [String] = []
        var isComplete = false
    }

    private func walk(
        _ prefix: String,
        limit: Int = 100,
        stopAfter: Int = .max,
        after previous: String = ""
    ) throws -> Walk {
        var walk = Walk()
        walk.isComplete = try environment.read { transaction throws(LMDBError) in
            let prefix = Array(prefix.utf8)
            return try transaction.walk(
                prefix: prefix.span,
                after: Array(previous.utf8),
                in: table,
                limit: limit
            ) { key, value in
                walk.entries.append("\(text(key))=\(text(value))")
                return walk.entries.count < stopAfter
            }
        }
        return walk
    }

    private func nestReads(_ depth: Int) throws(LMDBError) {
        guard depth > 0 else { return }
        try environment.read { _ throws(LMDBError) in try nestReads(depth - 1) }
    }

    private func put(_ value: String, for key: String) throws(LMDBError) {
        let (key, value) = (Array(key.utf8), Array(value.utf8))
        try environment.write { transaction throws(LMDBError) in
            try transaction.put(value.span, for: key.span, in: table)
        }
    }

    private func value(for key: String) throws -> String? {
        let key = Array(key.utf8)
        return try environment.read { transaction throws(LMDBError) in
            try transaction.withValue(for: key.span, in: table) { text($0) }
        }
    }

    private func text(_ bytes: Span<UInt8>) -> String {
        String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}
