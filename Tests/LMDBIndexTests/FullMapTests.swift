import MirrorCore
import MirrorTesting
import OCI
import Testing

@testable import LMDBIndex

@Suite("An index whose map is full", .timeLimit(.minutes(1)))
struct FullMapTests {
    typealias Fixture = IndexFixture

    @Test("evicting always works, and makes room for what comes then", arguments: [256 << 10, 4 << 20])
    func fullAndFreed(mapSize: Int) async throws {
        let fixture = try IndexFixture()
        var count = 0
        do {
            let index = try fixture.open(mapSize: mapSize)
            let stored = try await fill(index, from: 1)
            try #require(stored > 10)
            // Still full, for small things too, again and again.
            for _ in 0..<3 {
                await #expect(throws: IndexError.full) { try await index.commit([manifest(1_000_000)]) }
            }
            let before = index.totals()
            #expect(before.manifests == stored)
            let page = await index.evictionCandidates(of: .manifest, after: nil, limit: 1000) { _ in false }
            let half = page.candidates.prefix(page.candidates.count / 2)
            try await index.commit(half.map { .evicted($0.digest, .manifest) })
            #expect(index.totals().manifests == stored - half.count)
            let again = try await fill(index, from: 2_000_000)
            #expect(again > 0)
            #expect(try await index.recount() == index.totals())
            index.close()
            count = stored - half.count + again
        }
        let reopened = try fixture.open(mapSize: mapSize)
        #expect(reopened.totals().manifests == count)
        reopened.close()
    }

    @Test("touches and moves of a full index are written, or dropped without harm")
    func touches() async throws {
        let fixture = try IndexFixture()
        let stored: Int
        do {
            let index = try fixture.open(mapSize: 256 << 10)
            stored = try await fill(index, from: 1)
            for number in 1...stored { index.touch(Fixture.digest(number), as: .manifest) }
            index.close()
        }
        let reopened = try fixture.open(mapSize: 256 << 10)
        #expect(reopened.totals().manifests == stored)
        #expect(await Set(reopened.evictionOrder(of: .manifest)) == Set(1...stored))
        reopened.close()
    }

    /// Commits manifests until there is no room; returns how many.
    private func fill(_ index: LMDBCacheIndex, from first: Int) async throws -> Int {
        var count = 0
        while true {
            do throws(IndexError) {
                try await index.commit([manifest(first + count)])
                count += 1
            } catch {
                #expect(error == .full)
                return count
            }
        }
    }

    private func manifest(_ number: Int) -> IndexChange {
        .manifest(Fixture.digest(number), bytes: [UInt8](repeating: 1, count: 1500), references: [])
    }
}
