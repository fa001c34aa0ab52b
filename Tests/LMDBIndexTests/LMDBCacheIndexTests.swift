import LMDBIndex
import MirrorCore
import OCI
import Testing

@Suite("LMDB cache index", .timeLimit(.minutes(1)))
struct LMDBCacheIndexTests {
    typealias Fixture = IndexFixture

    let fixture: IndexFixture
    let repository = Fixture.repository

    init() throws {
        fixture = try IndexFixture()
    }

    @Test("an empty index has nothing")
    func empty() throws {
        let index = try fixture.open()
        #expect(index.tag(Fixture.tag("latest"), in: repository) == nil)
        #expect(index.membership(of: Fixture.digest(1), as: .blob, in: repository) == nil)
        #expect(index.withManifest(Fixture.digest(1)) { size, _ in size } == nil)
        #expect(index.blobSize(Fixture.digest(1)) == nil)
        #expect(index.claimedSize(of: Fixture.digest(1)) == nil)
        #expect(index.list(.tags, in: repository) == nil)
        #expect(index.totals() == StoredTotals(manifests: 0, blobs: 0, blobBytes: 0))
    }

    @Test("what was committed is read back, also after the index was closed and opened")
    func persists() async throws {
        let list = ListRecord(bytes: Array("1\n2".utf8), checkedAt: WallTime(milliseconds: 5))
        let membership = Membership(mediaType: MediaType.ociManifest, provedAt: WallTime(milliseconds: 7))
        do {
            let index = try fixture.open()
            try await index.commit([
                .tag(Fixture.tag("latest"), in: repository, Fixture.tagRecord(1)),
                .membership(Fixture.digest(1), .manifest, in: repository, membership),
                .manifest(Fixture.digest(1), bytes: Array("{}".utf8), references: [descriptor(2, size: 10)]),
                .blob(Fixture.digest(2), size: 10),
                .list(.referrers(Fixture.digest(1)), in: repository, list),
            ])
            index.close()
        }
        for _ in 0..<2 {
            let reader = try fixture.open()
            #expect(reader.tag(Fixture.tag("latest"), in: repository) == Fixture.tagRecord(1))
            #expect(reader.membership(of: Fixture.digest(1), as: .manifest, in: repository) == membership)
            #expect(manifestBytes(1, in: reader) == Array("{}".utf8))
            #expect(reader.blobSize(Fixture.digest(2)) == 10)
            #expect(reader.claimedSize(of: Fixture.digest(2)) == 10)
            #expect(reader.list(.referrers(Fixture.digest(1)), in: repository) == list)
            #expect(reader.totals() == StoredTotals(manifests: 1, blobs: 1, blobBytes: 10))
            reader.close()
        }
    }

    @Test("records belong to their repository, kind and list")
    func isolation() async throws {
        let index = try fixture.open()
        let others = [
            Fixture.repository("library/nginx", upstream: "ghcr.io"), Fixture.repository("library/nginx2"),
        ]
        let membership = Membership(mediaType: "", provedAt: WallTime(milliseconds: 1))
        try await index.commit([
            .tag(Fixture.tag("latest"), in: repository, Fixture.tagRecord(1)),
            .tag(Fixture.tag("other"), in: others[0], Fixture.tagRecord(2)),
            .membership(Fixture.digest(1), .blob, in: repository, membership),
        ])
        for other in others {
            #expect(index.tag(Fixture.tag("latest"), in: other) == nil)
            #expect(index.membership(of: Fixture.digest(1), as: .blob, in: other) == nil)
        }
        #expect(index.membership(of: Fixture.digest(1), as: .manifest, in: repository) == nil)
        #expect(index.tag(Fixture.tag("other"), in: others[0]) == Fixture.tagRecord(2))
        index.close()
    }

    @Test("a size is claimed for a repository by a manifest that is a member of it")
    func claims() async throws {
        let index = try fixture.open()
        let other = Fixture.repository("library/redis")
        let membership = Membership(mediaType: "", provedAt: WallTime(milliseconds: 1))
        try await index.commit([
            .manifest(Fixture.digest(1), bytes: [1], references: [descriptor(9, size: 10)]),
            .manifest(Fixture.digest(2), bytes: [2], references: [descriptor(9, size: 20)]),
            .membership(Fixture.digest(2), .manifest, in: repository, membership),
            .membership(Fixture.digest(1), .blob, in: other, membership),
        ])
        #expect(index.claimedSize(of: Fixture.digest(9), in: repository) == 20)
        #expect(index.claimedSize(of: Fixture.digest(9), in: other) == nil)
        #expect(index.claimedSize(of: Fixture.digest(9), in: Fixture.repository("library/none")) == nil)
        #expect(index.claimedSize(of: Fixture.digest(8), in: repository) == nil)
        index.close()
    }

    @Test("only so many of the manifests that name a child are looked at")
    func boundedClaims() async throws {
        let index = try fixture.open()
        let membership = Membership(mediaType: "", provedAt: WallTime(milliseconds: 1))
        let manifests = (1...65)
            .map { number in
                IndexChange.manifest(Fixture.digest(number), bytes: [1], references: [descriptor(99, size: number)])
            }
        try await index.commit(manifests + [.membership(Fixture.digest(65), .manifest, in: repository, membership)])
        #expect(index.claimedSize(of: Fixture.digest(99), in: repository) == nil)
        try await index.commit([.membership(Fixture.digest(64), .manifest, in: repository, membership)])
        #expect(index.claimedSize(of: Fixture.digest(99), in: repository) == 64)
        index.close()
    }

    @Test("a large manifest is known by its size, its bytes are in the store")
    func largeManifest() async throws {
        let index = try fixture.open()
        let bytes = [UInt8](repeating: 1, count: 40_000)
        try await index.commit([.manifest(Fixture.digest(1), bytes: bytes, references: [])])
        let found = index.withManifest(Fixture.digest(1)) { size, bytes in (size, bytes == nil) }
        #expect(found?.0 == 40_000)
        #expect(found?.1 == true)
        index.close()
    }

    @Test("a later record takes the place of an earlier one, in the order of the calls")
    func order() async throws {
        let index = try fixture.open()
        for number in 1...500 {
            index.post([.tag(Fixture.tag("latest"), in: repository, Fixture.tagRecord(number))])
        }
        try await index.commit([.blob(Fixture.digest(1), size: 1)])
        #expect(index.tag(Fixture.tag("latest"), in: repository) == Fixture.tagRecord(500))
        index.close()
    }

    @Test("totals count what is stored once, and forget what is lost")
    func totals() async throws {
        let index = try fixture.open()
        let manifest = IndexChange.manifest(Fixture.digest(1), bytes: [1], references: [descriptor(2, size: 5)])
        try await index.commit([
            manifest, manifest, .blob(Fixture.digest(2), size: 5), .blob(Fixture.digest(3), size: 7),
        ])
        try await index.commit([.blob(Fixture.digest(2), size: 6), manifest])
        #expect(index.totals() == StoredTotals(manifests: 1, blobs: 2, blobBytes: 13))
        try await index.commit([.lost(Fixture.digest(2), .blob), .lost(Fixture.digest(2), .blob)])
        #expect(index.totals() == StoredTotals(manifests: 1, blobs: 1, blobBytes: 7))
        #expect(index.blobSize(Fixture.digest(2)) == nil)
        try await index.commit([.lost(Fixture.digest(1), .manifest), .lost(Fixture.digest(9), .manifest)])
        #expect(index.totals() == StoredTotals(manifests: 0, blobs: 1, blobBytes: 7))
        #expect(manifestBytes(1, in: index) == nil)
        // What it said of others is still known: a registry that tells no length is asked for it again.
        #expect(index.claimedSize(of: Fixture.digest(2)) == 5)
        index.close()
    }

    @Test("losing a manifest does not lose the blob of the same digest, nor the reverse")
    func lostKind() async throws {
        let index = try fixture.open()
        try await index.commit([
            .manifest(Fixture.digest(1), bytes: [1], references: []), .blob(Fixture.digest(1), size: 1),
        ])
        try await index.commit([.lost(Fixture.digest(1), .manifest)])
        #expect(index.blobSize(Fixture.digest(1)) == 1)
        index.close()
    }

    @Test("many tasks read and write at once")
    func concurrent() async throws {
        do {
            let index = try fixture.open()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...200 {
                    group.addTask { try await writeAndRead(number, in: index) }
                }
                try await group.waitForAll()
            }
            #expect(index.totals() == StoredTotals(manifests: 0, blobs: 200, blobBytes: 20_100))
            index.close()
        }
        let reopened = try fixture.open()
        for number in 1...200 {
            let found = reopened.tag(Fixture.tag("t\(number)"), in: Fixture.repository("r\(number % 17)"))
            #expect(found == Fixture.tagRecord(number))
        }
        reopened.close()
    }

    private func writeAndRead(_ number: Int, in index: LMDBCacheIndex) async throws {
        let repository = Fixture.repository("r\(number % 17)")
        let tag = Fixture.tag("t\(number)")
        try await index.commit([
            .tag(tag, in: repository, Fixture.tagRecord(number)), .blob(Fixture.digest(number), size: number),
        ])
        #expect(index.tag(tag, in: repository) == Fixture.tagRecord(number))
    }

    private func descriptor(_ number: Int, size: Int) -> Descriptor {
        Descriptor(mediaType: nil, digest: Fixture.digest(number), size: size)
    }

    private func manifestBytes(_ number: Int, in index: LMDBCacheIndex) -> [UInt8]? {
        let found = index.withManifest(Fixture.digest(number)) { _, bytes -> [UInt8]? in
            guard let bytes else { return nil }
            return bytes.indices.map { bytes[$0] }
        }
        return found ?? nil
    }
}
