import Glibc
import LMDB
import MirrorCore
import MirrorTesting
import OCI
import Posix
import Testing

@testable import LMDBIndex

@Suite("Opening an index that is not sound", .timeLimit(.minutes(1)))
struct IndexOpeningTests {
    typealias Fixture = IndexFixture

    let fixture: IndexFixture

    init() throws {
        fixture = try IndexFixture()
    }

    @Test("an index that ended two processes before they were ready is set aside")
    func deadly() async throws {
        try await openAndKeep(.blob(Fixture.digest(1), size: 1))
        let path = fixture.path
        for _ in 0..<2 {
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                _ = try LMDBCacheIndex(
                    directory: path,
                    options: .init(mapSize: 16 << 20),
                    logger: CollectedLog().logger
                )
                kill(getpid(), SIGKILL)
            }
        }
        do {
            let index = try fixture.open()
            let kept = try #require(damaged().first)
            #expect(index.origin == .replaced(.deadly(openings: 2), kept: kept))
            #expect(index.blobSize(Fixture.digest(1)) == nil)
            #expect(index.isRebuildPending)
            index.close()
        }
        // The next one is a new count.
        let next = try fixture.open()
        #expect(next.origin == .found)
        next.close()
    }

    @Test("deaths after it was ready, and ends without being ready, are not counted")
    func ready() async throws {
        try await openAndKeep(.blob(Fixture.digest(1), size: 1))
        let path = fixture.path
        for _ in 0..<3 {
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                let index = try LMDBCacheIndex(
                    directory: path,
                    options: .init(mapSize: 16 << 20),
                    logger: CollectedLog().logger
                )
                index.ready()
                kill(getpid(), SIGKILL)
            }
        }
        for _ in 0..<3 {
            let index = try fixture.open()
            #expect(index.origin == .found)
            #expect(index.blobSize(Fixture.digest(1)) == 1)
            index.close()
        }
    }

    @Test("a marker that cannot be read counts as one death", arguments: ["", "x", "-4", "1"])
    func marker(content: String) throws {
        try fixture.directory.write(content, to: "index/opening")
        #expect(OpeningMarker(in: fixture.path).count == 1)
        let index = try fixture.open()
        #expect(index.origin == .made)
        #expect(fixture.directory.read("index/opening") == "2")
        index.close()
        #expect(OpeningMarker(in: fixture.path).count == 0)
    }

    @Test("a data file whose end is missing is set aside, unmapped", arguments: [1, 4096, 40_000])
    func truncated(missing: Int) async throws {
        try await openAndKeep(
            .list(
                .tags,
                in: Fixture.repository,
                ListRecord(
                    bytes: [UInt8](repeating: 7, count: 200_000),
                    checkedAt: .now()
                )
            )
        )
        let file = try FileDescriptor.open("\(fixture.path)/data.mdb", .openOrCreate)
        try file.truncate(to: try file.status().size - missing)
        let index = try fixture.open()
        guard case .replaced(.lmdb(let error), _) = index.origin else {
            Issue.record("not replaced but \(index.origin)")
            return
        }
        #expect(error.code == .corrupted)
        #expect(error.call == "data.mdb")
        #expect(index.isRebuildPending)
        index.close()
    }

    @Test("a damaged meta page is set aside", arguments: [10, 16, 40, 128, 136])
    func damagedMeta(field: Int) async throws {
        try await openAndKeep(.blob(Fixture.digest(1), size: 1))
        let file = try FileDescriptor.open("\(fixture.path)/data.mdb", .openOrCreate)
        // Both pages: which one is in force is LMDB's to choose.
        let damage: [UInt8] = [0x55, 0x55, 0x55, 0x55]
        for page in [0, 4096] { try file.write(damage.span, at: page + field) }
        let index = try fixture.open()
        #expect(index.blobSize(Fixture.digest(1)) == nil)
        #expect(try damaged().count == 1)
        index.close()
    }

    @Test("an index of a later schema is set aside, whatever else is in it")
    func laterSchema() async throws {
        try await openAndKeep(.blob(Fixture.digest(1), size: 1))
        try changeTables { transaction throws(LMDBError) in
            let meta = try transaction.table(named: "meta")
            let version: [UInt8] = [recordVersion, 2, 0, 0, 0]
            let key = Key.schema
            try transaction.put(version.span, for: key.span, in: meta)
        }
        let index = try fixture.open()
        let kept = try #require(damaged().first)
        #expect(index.origin == .replaced(.schema(2), kept: kept))
        index.close()
    }

    @Test("two unusable indexes are kept, the newest")
    func boundedKeeping() throws {
        for time in [1, 30, 200] { try fixture.directory.write("x", to: "index.damaged-\(time)/data.mdb") }
        try fixture.directory.write("x", to: "index.damaged-by-me/data.mdb")
        try fixture.directory.write("garbage", to: "index/data.mdb")
        try fixture.open().close()
        let kept = Set(try damaged().map { String($0.dropFirst(fixture.path.count)) })
        #expect(kept.count == 3)
        #expect(kept.isSuperset(of: [".damaged-200", ".damaged-by-me"]))
        #expect(!kept.contains(".damaged-30"))
    }

    @Test("a rebuild that was cut short is still to be done at the next start")
    func rebuildPending() async throws {
        do {
            let index = try fixture.open()
            #expect(index.origin == .made)
            try await index.commit([.blob(Fixture.digest(1), size: 1)])
            index.close()
        }
        do {
            let index = try fixture.open()
            #expect(index.origin == .found)
            #expect(index.isRebuildPending)
            try await index.commit([.rebuilt])
            index.close()
        }
        let index = try fixture.open()
        #expect(!index.isRebuildPending)
        index.close()
    }

    @Test("an index of the version before recency is kept, counted, and put in order")
    func firstVersion() async throws {
        try fixture.directory.makeDirectory("index")
        try changeTables { transaction throws(LMDBError) in try FirstVersion.write(&transaction) }
        do {
            let index = try fixture.open()
            #expect(index.origin == .found)
            #expect(!index.isRebuildPending)
            #expect(index.totals() == StoredTotals(manifests: 1, blobs: 2, blobBytes: 12, manifestBytes: 2))
            #expect(index.blobSize(Fixture.digest(1)) == 5)
            let blob = index.storedObject(Fixture.digest(1), .blob)
            #expect(blob?.landedAt == WallTime(milliseconds: 3))
            #expect(index.tag(Fixture.tag("a"), in: Fixture.repository("b"))?.size == 1)
            #expect(await index.evictionOrder(of: .blob) == [1, 2])
            try await index.commit([.blob(Fixture.digest(3), size: 1)])
            index.touch(Fixture.digest(1), as: .blob)
            #expect(await index.evictionOrder(of: .blob) == [2, 3, 1])
            index.close()
        }
        // Once is enough: the order is not made anew.
        let again = try fixture.open()
        #expect(await again.evictionOrder(of: .blob) == [2, 3, 1])
        again.close()
    }

    private func openAndKeep(_ change: IndexChange) async throws {
        let index = try fixture.open()
        try await index.commit([change])
        index.close()
    }

    /// The paths of what was set aside.
    private func damaged() throws -> [String] {
        try Directory.names(in: fixture.directory.path).filter { $0.hasPrefix("index.damaged-") }
            .map { fixture.directory.path($0) }
    }

    private func changeTables(_ body: (inout WriteTransaction) throws(LMDBError) -> Void) throws {
        let environment = try Environment(directory: fixture.path, mapSize: 16 << 20, maxTables: 16, maxReaders: 4)
        try environment.write(body)
    }
}

/// An index as the first version left it, byte for byte.
private enum FirstVersion {
    static func write(_ transaction: inout WriteTransaction) throws(LMDBError) {
        let tables = [
            "repositories", "tags", "manifests", "blobs", "members", "references", "lists", "meta",
        ]
        var made: [String: Table] = [:]
        for name in tables { made[name] = try transaction.table(named: name) }
        for (table, key, value) in entries {
            guard let table = made[table] else { continue }
            try transaction.put(value.span, for: key.span, in: table)
        }
    }

    private static let entries: [(table: String, key: [UInt8], value: [UInt8])] = [
        ("meta", Array("schema".utf8), [1, 1, 0, 0, 0]),
        // One manifest, two blobs of 12 bytes, one repository.
        ("meta", Array("totals".utf8), [1] + word(1) + word(2) + word(12) + [1, 0, 0, 0]),
        ("blobs", digest(1), [1] + word(5) + word(3)),
        ("blobs", digest(2), [1] + word(7) + word(4)),
        ("manifests", digest(9), [1] + word(2) + Array("{}".utf8)),
        ("references", digest(1) + digest(8), [1] + word(5)),
        ("repositories", Array("docker.io\0b".utf8), [1, 0, 0, 0, 0, 0]),
        ("tags", [0, 0, 0, 0] + Array("a".utf8), [1, 0] + word(2) + word(1) + digest(9) + Array("m".utf8)),
    ]

    private static func word(_ value: UInt8) -> [UInt8] { [value] + [UInt8](repeating: 0, count: 7) }

    private static func digest(_ value: UInt8) -> [UInt8] { [1] + [UInt8](repeating: 0, count: 31) + [value] }
}
