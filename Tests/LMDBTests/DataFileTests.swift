import MirrorTesting
import Testing

@testable import LMDB

@Suite("The data file before it is mapped", .timeLimit(.minutes(1)))
struct DataFileTests {
    @Test("a file that LMDB wrote is accepted, and refused when a byte of its last page is missing")
    func whole() throws {
        let file = try Self.dataFile()
        #expect(check(file, size: file.count) == nil)
        #expect(check(file, size: file.count + 4096) == nil)
        #expect(check(file, size: file.count - 1)?.code == .corrupted)
        #expect(check(file, size: 8192)?.code == .corrupted)
    }

    @Test("an empty file is a new environment")
    func empty() {
        #expect(check([], size: 0) == nil)
    }

    @Test("what has no meta pages is refused", arguments: [1, 100, 4096, 8191, 200_000])
    func garbage(size: Int) {
        #expect(check([UInt8](repeating: 0x20, count: size), size: size)?.code == .corrupted)
        #expect(check([UInt8](repeating: 0, count: size), size: size)?.code == .corrupted)
    }

    @Test("no prefix of a file, and no change of a meta page, makes it trap")
    func everyByte() throws {
        let file = Array(try Self.dataFile().prefix(DataFile.headLength))
        for length in stride(from: 1, to: 8200, by: 7) { _ = check(Array(file.prefix(length)), size: length) }
        var random = SeededRandom(seed: 1)
        for _ in 0..<2000 {
            var changed = file
            let page = Bool.random(using: &random) ? 0 : 4096
            changed[page + Int.random(in: 0..<152, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = check(changed, size: changed.count)
        }
    }

    @Test("sizes of pages, last pages and roots that cannot be are refused", arguments: [40, 41, 80, 128, 136])
    func fields(offset: Int) throws {
        var file = try Self.dataFile()
        for page in [0, 4096] {
            for index in 0..<4 { file[page + offset + index] = 0x55 }
        }
        #expect(check(file, size: file.count)?.code == .corrupted)
    }

    // A function, since a span cannot be in an expression that a macro takes apart.
    private func check(_ file: [UInt8], size: Int) -> LMDBError? {
        do throws(LMDBError) {
            let head = Array(file.prefix(DataFile.headLength))
            try DataFile.check(head: head.span, size: size)
            return nil
        } catch {
            return error
        }
    }

    private static func dataFile() throws -> [UInt8] {
        let directory = try TemporaryDirectory("lmdb")
        let environment = try Environment(directory: directory.path, mapSize: 4 << 20, maxTables: 4, maxReaders: 2)
        for number in 0..<20 {
            try environment.write { transaction throws(LMDBError) in
                let table = try transaction.table(named: "table")
                let value = [UInt8](repeating: 7, count: 5000)
                try transaction.put(value.span, for: [UInt8(number)].span, in: table)
            }
        }
        return directory.bytes("data.mdb")
    }
}
