import Glibc
import LMDB
import MirrorCore
import MirrorTesting
import OCI
import Testing

@testable import LMDBIndex

@Suite("Recency in the LMDB index", .timeLimit(.minutes(1)))
struct RecencyTests {
    typealias Fixture = IndexFixture

    let fixture: IndexFixture

    init() throws {
        fixture = try IndexFixture()
    }

    @Test("the order of use outlives the process, and later uses come after it")
    func restart() async throws {
        do {
            let index = try fixture.open()
            try await index.commit((1...4).map { .blob(Fixture.digest($0), size: 1) })
            index.touch(Fixture.digest(2), as: .blob)
            // Closing writes what was not written.
            index.close()
        }
        let index = try fixture.open()
        #expect(await index.evictionOrder(of: .blob) == [1, 3, 4, 2])
        index.touch(Fixture.digest(3), as: .blob)
        try await index.commit([.blob(Fixture.digest(5), size: 1)])
        #expect(await index.evictionOrder(of: .blob) == [1, 4, 2, 3, 5])
        index.close()
    }

    @Test("uses are written after a while without any other change")
    func folding() async throws {
        let index = try fixture.open(foldInterval: .milliseconds(1))
        try await index.commit((1...3).map { .blob(Fixture.digest($0), size: 1) })
        index.touch(Fixture.digest(1), as: .blob)
        let key = ObjectKey(digest: Fixture.digest(1), kind: .blob)
        while index.storage.touches.pendingUse(of: key) != nil { await Task.yield() }
        let written = try index.storage.environment.read { transaction throws(LMDBError) in
            let key = key.use
            return try transaction.withValue(for: key.span, in: index.storage.tables.uses) {
                UseRecord(record: $0)?.use
            }
        }
        #expect(written == 4)
        #expect(await index.evictionOrder(of: .blob) == [2, 3, 1])
        index.close()
    }

    @Test("a touch moves the time of last use, not that of landing")
    func times() async throws {
        let index = try fixture.open()
        let before = WallTime.now()
        try await index.commit([.manifest(Fixture.digest(1), bytes: [1, 2], references: [])])
        let landed = try #require(index.storedObject(Fixture.digest(1), .manifest))
        #expect(landed.size == 2)
        #expect(landed.landedAt >= before)
        index.touch(Fixture.digest(1), as: .manifest)
        try await index.writer.perform { storage throws(LMDBError) in
            let uses = storage.touches.pending(upTo: 10)
            try storage.environment.write { transaction throws(LMDBError) in
                try transaction.fold(uses, at: landed.landedAt + .seconds(60), in: storage.tables)
            }
        }
        let used = try #require(index.storedObject(Fixture.digest(1), .manifest))
        #expect(used.landedAt == landed.landedAt)
        #expect(used.usedAt == landed.landedAt + .seconds(60))
        index.close()
    }

    @Test("touches beyond what is kept are dropped, and known ones still move")
    func boundedTouches() {
        let touches = Touches(after: 0)
        let keys = (0..<Touches.mostKeptPerShard + 10)
            .map { ObjectKey(digest: Fixture.digest($0 << 8), kind: .blob) }
        for key in keys { touches.touch(key) }
        #expect(touches.pendingUse(of: keys[0]) == 1)
        #expect(touches.pendingUse(of: keys[keys.count - 1]) == nil)
        touches.touch(keys[0])
        #expect(touches.pendingUse(of: keys[0]) == Use(keys.count + 1))
        #expect(touches.pending(upTo: .max).count == Touches.mostKeptPerShard)
        // While they are written there is room for others, and they are still known.
        touches.touch(keys[keys.count - 1])
        #expect(touches.pendingUse(of: keys[keys.count - 1]) == Use(keys.count + 2))
        #expect(touches.pendingUse(of: keys[1]) == 2)
    }

    @Test("a use that comes while the one before is written is not lost")
    func settling() {
        let touches = Touches(after: 10)
        let key = ObjectKey(digest: Fixture.digest(1), kind: .blob)
        touches.touch(key)
        let written = touches.pending(upTo: 100)
        #expect(written == [key: 11])
        touches.touch(key)
        touches.settle()
        #expect(touches.pendingUse(of: key) == 12)
        _ = touches.pending(upTo: 100)
        touches.settle()
        #expect(touches.pendingUse(of: key) == nil)
    }

    @Test("what eviction reads does not grow with what is stored")
    func cost() async throws {
        var read: [Int] = []
        for count in [400, 4000] {
            let fixture = try IndexFixture()
            let index = try fixture.open()
            try await index.commit((1...count).map { .blob(Fixture.digest($0), size: 1) })
            // Every blob has a parent, and none was used since.
            try await index.commit(
                (0..<count / 4)
                    .map { parent in
                        Image.manifest(1_000_000 + parent, of: (1...4).map { parent * 4 + $0 })
                    }
            )
            // As if the images had been pulled before the blobs landed: lower than them.
            for number in 1...count { index.touch(Fixture.digest(number), as: .blob) }
            try await index.fold()
            var page = await index.evictionCandidates(of: .blob, after: nil, limit: 100) { _ in false }
            #expect(page.candidates.count == 100)
            try await index.commit(page.candidates.map { .evicted($0.digest, .blob) })
            page = await index.evictionCandidates(of: .blob, after: nil, limit: 100) { _ in false }
            #expect(page.candidates.count == 100)
            read.append(page.recordsRead)
            index.close()
        }
        #expect(read[0] == read[1])
        #expect(read[0] < 1000)
    }

    @Test("what a closure's use has moved is not met again before its time")
    func amortised() async throws {
        let index = try fixture.open()
        try await index.commit((1...50).map { .blob(Fixture.digest($0), size: 1) })
        try await index.commit((51...150).map { .blob(Fixture.digest($0), size: 1) })
        try await index.commit([Image.manifest(1000, of: Array(1...50))])
        let first = await index.evictionCandidates(of: .blob, after: nil, limit: 50) { _ in false }
        #expect(first.candidates.isEmpty)
        let second = await index.evictionCandidates(of: .blob, after: nil, limit: 50) { _ in false }
        #expect(second.candidates.map(\.digest) == (51...100).map(Fixture.digest))
        index.close()
    }

    @Test("a layer of more manifests than are looked at is kept while anything is pinned")
    func popularLayer() async throws {
        let index = try fixture.open()
        try await index.commit([.blob(Fixture.digest(1), size: 1), .blob(Fixture.digest(2), size: 1)])
        try await index.commit((1000...1000 + Closure.mostAncestors).map { Image.manifest($0, of: [1]) })
        #expect(!index.isPinned(Fixture.digest(1)))
        let pin = Reference.digest(Fixture.digest(1000 + Closure.mostAncestors))
        try await index.commit([.pinned(pin, in: Fixture.repository, since: .now())])
        #expect(index.isPinned(Fixture.digest(1)))
        #expect(await index.evictionOrder(of: .blob) == [2])
        index.close()
    }

    @Test("an entry of the order whose object is gone is cleared away")
    func danglingEntry() async throws {
        let index = try fixture.open()
        try await index.commit([.blob(Fixture.digest(1), size: 1), .blob(Fixture.digest(2), size: 1)])
        try await index.writer.perform { storage throws(LMDBError) in
            // What a version that knew no recency does when it loses a blob.
            try storage.environment.write { transaction throws(LMDBError) in
                _ = try transaction.delete(Key.content(Fixture.digest(1)).span, in: storage.tables.blobs)
            }
        }
        #expect(await index.evictionOrder(of: .blob) == [2])
        let left = try index.storage.environment.read { transaction throws(LMDBError) in
            [
                try transaction.count(of: index.storage.tables.recency),
                try transaction.count(of: index.storage.tables.uses),
            ]
        }
        #expect(left == [1, 1])
        index.close()
    }

    @Test("a walk of 50 000 records goes on by its cursor, also in another process")
    func longWalk() async throws {
        let count = 50_000
        var found: [Digest] = []
        var cursor: IndexCursor?
        do {
            let index = try fixture.open(mapSize: 64 << 20)
            for start in stride(from: 1, through: count, by: 5000) {
                try await index.commit((start..<start + 5000).map { .blob(Fixture.digest($0), size: 1) })
            }
            while found.count < count / 2 {
                let page = index.storedObjects(of: .blob, after: cursor, limit: .max)
                #expect(page.elements.count == 1000)
                found += page.elements.map(\.digest)
                cursor = page.next
            }
            index.close()
        }
        let index = try fixture.open(mapSize: 64 << 20)
        while let next = cursor {
            let page = index.storedObjects(of: .blob, after: next, limit: .max)
            found += page.elements.map(\.digest)
            cursor = page.next
        }
        #expect(found == (1...count).map(Fixture.digest))
        #expect(try await index.recount() == StoredTotals(manifests: 0, blobs: count, blobBytes: count))
        index.close()
    }
}

extension LMDBCacheIndex {
    /// Writes the uses that are not written yet.
    func fold() async throws {
        try await writer.perform { storage throws(LMDBError) in
            let uses = storage.touches.pending(upTo: .max)
            try storage.environment.write { transaction throws(LMDBError) in
                try transaction.fold(uses, at: .now(), in: storage.tables)
            }
            storage.touches.settle()
        }
    }
}
