import Glibc
import LMDB
import Locking
import MirrorCore
import MirrorTesting
import OCI
import Posix
import Testing

@testable import LMDBIndex

@Suite("LMDB cache index, when things go wrong", .timeLimit(.minutes(1)))
struct IndexFailureTests {
    typealias Fixture = IndexFixture

    let fixture: IndexFixture
    let repository = Fixture.repository

    init() throws {
        fixture = try IndexFixture()
    }

    @Test("a full map is told as such, and small changes before and after it are kept")
    func mapFull() async throws {
        let index = try fixture.open(mapSize: 256 << 10)
        try await index.commit([.blob(Fixture.digest(1), size: 1)])
        let large = ListRecord(bytes: [UInt8](repeating: 7, count: 1 << 20), checkedAt: WallTime(milliseconds: 0))
        await #expect(throws: IndexError.full) {
            try await index.commit([.blob(Fixture.digest(2), size: 2), .list(.tags, in: repository, large)])
        }
        try await index.commit([.blob(Fixture.digest(3), size: 3)])
        #expect(index.blobSize(Fixture.digest(1)) == 1)
        // A submission is all or nothing.
        #expect(index.blobSize(Fixture.digest(2)) == nil)
        #expect(index.blobSize(Fixture.digest(3)) == 3)
        #expect(index.totals() == StoredTotals(manifests: 0, blobs: 2, blobBytes: 4))
        index.close()
    }

    @Test("a change that cannot be made takes no other with it")
    func badChange() async throws {
        let index = try fixture.open()
        let impossible = Fixture.repository("a", upstream: String(repeating: "h", count: 600))
        let failures = await withTaskGroup(of: Bool.self) { group in
            for number in 1...100 {
                group.addTask {
                    let place = number == 50 ? impossible : repository
                    do {
                        try await index.commit([
                            .blob(Fixture.digest(number), size: 1),
                            .tag(Fixture.tag("t\(number)"), in: place, Fixture.tagRecord(number)),
                        ])
                        return false
                    } catch {
                        return true
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(failures == 1)
        #expect(index.totals().blobs == 99)
        #expect(index.tag(Fixture.tag("t51"), in: repository) == Fixture.tagRecord(51))
        // A key that cannot be is no trap for readers either.
        #expect(index.tag(Fixture.tag("t50"), in: impossible) == nil)
        index.close()
    }

    @Test("a repository that came with a failed change gets a number that is its own")
    func numberOfFailedChange() async throws {
        let index = try fixture.open(mapSize: 256 << 10)
        let large = ListRecord(bytes: [UInt8](repeating: 7, count: 1 << 20), checkedAt: WallTime(milliseconds: 0))
        let failed = Fixture.repository("failed")
        await #expect(throws: IndexError.full) { try await index.commit([.list(.tags, in: failed, large)]) }
        try await index.commit([.tag(Fixture.tag("one"), in: repository, Fixture.tagRecord(1))])
        try await index.commit([.tag(Fixture.tag("two"), in: failed, Fixture.tagRecord(2))])
        #expect(index.tag(Fixture.tag("one"), in: failed) == nil)
        #expect(index.tag(Fixture.tag("two"), in: repository) == nil)
        #expect(index.tag(Fixture.tag("two"), in: failed) == Fixture.tagRecord(2))
        index.close()
    }

    @Test("closing commits what was posted, and later changes fail")
    func closing() async throws {
        do {
            let index = try fixture.open()
            for number in 1...1000 { index.post([.blob(Fixture.digest(number), size: 1)]) }
            index.close()
            await #expect(throws: IndexError.failed("the index is closed")) {
                try await index.commit([.blob(Fixture.digest(2000), size: 1)])
            }
        }
        let reopened = try fixture.open()
        #expect(reopened.totals().blobs == 1000)
        reopened.close()
    }

    @Test("what was committed survives a kill", .timeLimit(.minutes(2)))
    func killed() async throws {
        let path = fixture.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let index = try LMDBCacheIndex(
                directory: path,
                options: .init(mapSize: 16 << 20),
                logger: CollectedLog().logger
            )
            try await index.commit([.blob(IndexFixture.digest(1), size: 1)])
            for number in 2...100_000 { index.post([.blob(IndexFixture.digest(number), size: 1)]) }
            kill(getpid(), SIGKILL)
        }
        let index = try fixture.open()
        #expect(index.blobSize(Fixture.digest(1)) == 1)
        // The later ones, as far as they came: each batch whole, so the total is right.
        let found = (1...100_000).reduce(0) { $0 + (index.blobSize(Fixture.digest($1)) == nil ? 0 : 1) }
        #expect(index.totals().blobs == found)
        try await index.commit([.blob(Fixture.digest(200_000), size: 1)])
        #expect(index.totals().blobs == found + 1)
        index.close()
    }

    @Test("a file that is no index is set aside, and an empty index takes its place")
    func garbage() async throws {
        let content = String(repeating: "garbage ", count: 4096)
        try fixture.directory.write(content, to: "index/data.mdb")
        let index = try fixture.open()
        try await index.commit([.blob(Fixture.digest(1), size: 1)])
        #expect(index.blobSize(Fixture.digest(1)) == 1)
        let kept = try #require(damagedDirectories().first)
        #expect(fixture.directory.read("\(kept)/data.mdb") == content)
        #expect(fixture.log.messages == ["error: Index set aside, starting with an empty one"])
        index.close()
    }

    @Test("an index of another schema, or of another program, is set aside", arguments: [false, true])
    func foreign(hasSchema: Bool) throws {
        try fixture.directory.makeDirectory("index")
        try changeTables { transaction throws(LMDBError) in
            let table = try transaction.table(named: hasSchema ? "meta" : "theirs")
            let version: [UInt8] = [1, 99, 0, 0, 0]
            try transaction.put(version.span, for: Array("schema".utf8).span, in: table)
        }
        let index = try fixture.open()
        #expect(index.totals().blobs == 0)
        #expect(try damagedDirectories().count == 1)
        index.close()
    }

    @Test("an index of ours is not set aside")
    func ours() throws {
        for _ in 0..<3 { try fixture.open().close() }
        #expect(try damagedDirectories().isEmpty)
        #expect(fixture.log.messages.isEmpty)
    }

    @Test("a damaged record is logged and counts as absent, and can be written again")
    func damagedRecord() async throws {
        let damaged = Fixture.tag("damaged")
        do {
            let index = try fixture.open()
            try await index.commit([
                .tag(damaged, in: repository, Fixture.tagRecord(1)),
                .tag(Fixture.tag("whole"), in: repository, Fixture.tagRecord(2)),
                .blob(Fixture.digest(1), size: 5),
            ])
            index.close()
        }
        try changeTables { transaction throws(LMDBError) in
            let tags = try transaction.table(named: "tags")
            try transaction.put([recordVersion, 0].span, for: Key.tag(damaged, 0).span, in: tags)
            let blobs = try transaction.table(named: "blobs")
            try transaction.put([UInt8]().span, for: Key.content(Fixture.digest(1)).span, in: blobs)
        }
        let index = try fixture.open()
        #expect(index.tag(damaged, in: repository) == nil)
        #expect(index.blobSize(Fixture.digest(1)) == nil)
        #expect(index.tag(Fixture.tag("whole"), in: repository) == Fixture.tagRecord(2))
        let line = "error: Index record is damaged and counts as absent"
        #expect(fixture.log.messages == [line, line])
        try await index.commit([.tag(damaged, in: repository, Fixture.tagRecord(3))])
        #expect(index.tag(damaged, in: repository) == Fixture.tagRecord(3))
        index.close()
    }

    @Test("a directory that cannot be made is an error, and nothing is set aside")
    func unusable() throws {
        try fixture.directory.write("", to: "index")
        let error = #expect(throws: IndexOpeningError.self) { _ = try fixture.open() }
        #expect(error == .system(SystemCallError(call: "mkdir", errno: ENOTDIR, path: fixture.path)))
        #expect(try damagedDirectories().isEmpty)
    }

    private func damagedDirectories() throws -> [String] {
        try Directory.names(in: fixture.directory.path).filter { $0.hasPrefix("index.damaged-") }
    }

    /// Writes to the tables behind the index's back.
    private func changeTables(_ body: (inout WriteTransaction) throws(LMDBError) -> Void) throws {
        let environment = try Environment(directory: fixture.path, mapSize: 16 << 20, maxTables: 16, maxReaders: 4)
        try environment.write(body)
    }
}
