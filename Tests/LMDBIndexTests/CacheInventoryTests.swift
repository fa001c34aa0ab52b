import LMDBIndex
import MirrorCore
import MirrorTesting
import OCI
import Testing

/// What every implementation of `CacheInventory` does.
@Suite("Cache inventory, in LMDB and in memory", .timeLimit(.minutes(1)))
struct CacheInventoryTests {
    typealias Fixture = IndexFixture

    enum Implementation: CaseIterable {
        case lmdb
        case memory
    }

    let fixture: IndexFixture
    let repository = Fixture.repository

    init() throws {
        fixture = try IndexFixture()
    }

    @Test(
        "what was used least recently goes first, whether it landed or was touched",
        arguments: Implementation.allCases
    )
    func order(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        try await index.commit((1...5).map { .blob(Fixture.digest($0), size: $0) })
        for number in [4, 1, 1, 2] { index.touch(Fixture.digest(number), as: .blob) }
        #expect(await index.evictionOrder(of: .blob) == [3, 5, 4, 1, 2])
        // A page at a time.
        #expect(await index.evictionOrder(of: .blob, pages: 2) == [3, 5, 4, 1, 2])
    }

    @Test("kinds have an order each", arguments: Implementation.allCases)
    func kinds(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        try await index.commit([
            .manifest(Fixture.digest(1), bytes: [1], references: []), .blob(Fixture.digest(2), size: 2),
            .manifest(Fixture.digest(3), bytes: [1], references: []), .blob(Fixture.digest(1), size: 2),
        ])
        index.touch(Fixture.digest(1), as: .manifest)
        #expect(await index.evictionOrder(of: .manifest) == [3, 1])
        #expect(await index.evictionOrder(of: .blob) == [2, 1])
    }

    @Test("a use of an index is a use of its manifests and their layers", arguments: Implementation.allCases)
    func closure(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        try await index.commit(Image.two)
        // The layers landed last; image 100's are 1 and 2, image 200's are 2 and 3.
        index.touch(Fixture.digest(200), as: .manifest)
        index.touch(Fixture.digest(4), as: .blob)
        index.touch(Fixture.digest(100), as: .manifest)
        #expect(await index.evictionOrder(of: .blob) == [3, 4, 1, 2])
        #expect(await index.evictionOrder(of: .manifest) == [101, 201, 200, 100])
        // Lower in the closure than a stranger that is used later.
        index.touch(Fixture.digest(4), as: .blob)
        #expect(await index.evictionOrder(of: .blob) == [3, 1, 2, 4])
    }

    @Test("what is protected is passed over, and counts as used", arguments: Implementation.allCases)
    func protected(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        try await index.commit((1...4).map { .blob(Fixture.digest($0), size: 1) })
        #expect(await index.evictionOrder(of: .blob) { $0 == Fixture.digest(1) } == [2, 3, 4])
        #expect(await index.evictionOrder(of: .blob) == [2, 3, 4, 1])
    }

    @Test("a pinned tag protects its index, the manifests in it and their layers", arguments: Implementation.allCases)
    func pinnedTag(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        let tag = Fixture.tag("latest")
        try await index.commit(Image.two)
        try await index.commit([
            .tag(tag, in: repository, Fixture.tagRecord(101)),
            .pinned(.tag(tag), in: repository, since: WallTime(milliseconds: 7)),
        ])
        #expect(await index.evictionOrder(of: .blob) == [3, 4])
        #expect(await index.evictionOrder(of: .manifest) == [200, 201])
        #expect(index.isPinned(Fixture.digest(1)))
        #expect(!index.isPinned(Fixture.digest(3)))
        let pin = Pin(repository: repository, reference: .tag(tag), since: WallTime(milliseconds: 7))
        #expect(index.pins(after: nil, limit: 10).elements == [pin])
        try await index.commit([.unpinned(.tag(tag), in: repository)])
        #expect(index.pins(after: nil, limit: 10).elements.isEmpty)
        #expect(await Set(index.evictionOrder(of: .blob)) == [1, 2, 3, 4])
    }

    @Test("a tag that moved on protects what is served in its place", arguments: Implementation.allCases)
    func pinnedHeld(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        var record = Fixture.tagRecord(999)
        record.held = TagRecord.Held(digest: Fixture.digest(201), checkedAt: WallTime(milliseconds: 1))
        try await index.commit(Image.two)
        try await index.commit([
            .tag(Fixture.tag("a"), in: repository, record),
            .pinned(.tag(Fixture.tag("a")), in: repository, since: WallTime(milliseconds: 7)),
        ])
        #expect(await index.evictionOrder(of: .blob) == [1, 4])
    }

    @Test("a pinned digest protects itself and what it references, no more", arguments: Implementation.allCases)
    func pinnedDigest(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        try await index.commit(Image.two)
        let reference = Reference.digest(Fixture.digest(200))
        try await index.commit([.pinned(reference, in: repository, since: WallTime(milliseconds: 7))])
        #expect(await index.evictionOrder(of: .blob) == [1, 4])
        #expect(await index.evictionOrder(of: .manifest) == [100, 101, 201])
        #expect(index.pins(after: nil, limit: 1).elements.map(\.reference) == [reference])
    }

    @Test(
        "what is evicted is gone from the order and the totals, what it proved stays",
        arguments: Implementation.allCases
    )
    func evicted(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        let membership = Membership(mediaType: "", provedAt: .now())
        try await index.commit(Image.two)
        try await index.commit([.membership(Fixture.digest(1), .blob, in: repository, membership)])
        let before = index.totals()
        try await index.commit([.evicted(Fixture.digest(1), .blob), .evicted(Fixture.digest(100), .manifest)])
        #expect(index.blobSize(Fixture.digest(1)) == nil)
        #expect(index.storedObject(Fixture.digest(1), .blob) == nil)
        #expect(index.totals().blobBytes == before.blobBytes - 10)
        #expect(index.totals().manifestBytes == before.manifestBytes - 100)
        #expect(await index.evictionOrder(of: .blob).contains(1) == false)
        #expect(index.membership(of: Fixture.digest(1), as: .blob, in: repository) == membership)
        // A touch of what is gone brings nothing back.
        index.touch(Fixture.digest(1), as: .blob)
        #expect(await index.evictionOrder(of: .blob).contains(1) == false)
        #expect(try await index.recount() == index.totals())
    }

    @Test("walks go on where they were, and find all there is", arguments: Implementation.allCases)
    func walks(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        let repositories = (1...7).map { Fixture.repository("r\($0)") }
        let membership = Membership(mediaType: "m", provedAt: WallTime(milliseconds: 1))
        for repository in repositories {
            try await index.commit((1...5).map { .tag(Fixture.tag("t\($0)"), in: repository, Fixture.tagRecord($0)) })
        }
        try await index.commit((1...9).map { .membership(Fixture.digest($0), .blob, in: repositories[0], membership) })
        try await index.commit((1...9).map { .blob(Fixture.digest($0), size: $0) })
        let found = collect { index.repositories(after: $0, limit: 2) }
        #expect(Set(found) == Set(repositories))
        #expect(found.count == 7)
        let tags = collect { index.tags(of: repositories[3], after: $0, limit: 2) }
        #expect(tags == (1...5).map { TagEntry(tag: Fixture.tag("t\($0)"), record: Fixture.tagRecord($0)) })
        let members = collect { index.members(of: repositories[0], after: $0, limit: 4) }
        #expect(members == (1...9).map { MemberEntry(digest: Fixture.digest($0), kind: .blob, membership: membership) })
        #expect(collect { index.members(of: repositories[1], after: $0, limit: 4) }.isEmpty)
        let stored = collect { index.storedObjects(of: .blob, after: $0, limit: 3) }
        #expect(stored.map(\.digest) == (1...9).map(Fixture.digest))
        #expect(stored.map(\.size) == Array(1...9))
    }

    @Test("the parents of a layer are the manifests that reference it", arguments: Implementation.allCases)
    func parents(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        try await index.commit(Image.two)
        let parents = collect { index.parents(of: Fixture.digest(2), after: $0, limit: 1) }
        #expect(parents == [Fixture.digest(100), Fixture.digest(200)])
        #expect(index.parents(of: Fixture.digest(4), after: nil, limit: 1).elements.isEmpty)
    }

    @Test("a tag and a membership can be removed, also where there are none", arguments: Implementation.allCases)
    func removal(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        let tag = Fixture.tag("latest")
        let membership = Membership(mediaType: "", provedAt: .now())
        try await index.commit([
            .tag(tag, in: repository, Fixture.tagRecord(1)),
            .membership(Fixture.digest(1), .blob, in: repository, membership),
        ])
        let unknown = Fixture.repository("unknown")
        try await index.commit([
            .tagRemoved(tag, in: repository), .membershipRemoved(Fixture.digest(1), .blob, in: repository),
            .tagRemoved(tag, in: unknown), .unpinned(.tag(tag), in: unknown),
        ])
        #expect(index.tag(tag, in: repository) == nil)
        #expect(index.membership(of: Fixture.digest(1), as: .blob, in: repository) == nil)
        #expect(!collect { index.repositories(after: $0, limit: 10) }.contains(unknown))
    }

    @Test("pruning forgets what is old and of nothing stored, and only that", arguments: Implementation.allCases)
    func pruning(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        let (old, now) = (WallTime(milliseconds: 1000), WallTime.now())
        let limit = WallTime(milliseconds: 5000)
        try await index.commit(Image.two)
        try await index.commit([
            .membership(Fixture.digest(1), .blob, in: repository, Membership(mediaType: "", provedAt: old)),
            .membership(Fixture.digest(77), .blob, in: repository, Membership(mediaType: "", provedAt: old)),
            .membership(Fixture.digest(78), .blob, in: repository, Membership(mediaType: "", provedAt: now)),
            .tag(Fixture.tag("stored"), in: repository, Fixture.tagRecord(100)),
            .tag(Fixture.tag("pinned"), in: repository, Fixture.tagRecord(77)),
            .tag(Fixture.tag("old"), in: repository, Fixture.tagRecord(77)),
            .pinned(.tag(Fixture.tag("pinned")), in: repository, since: old),
            .list(.tags, in: repository, ListRecord(bytes: [1], checkedAt: old)),
            .list(.referrers(Fixture.digest(1)), in: repository, ListRecord(bytes: [1], checkedAt: now)),
            .evicted(Fixture.digest(200), .manifest),
        ])
        #expect(try await index.pruneAll(olderThan: limit) == 5)
        #expect(index.membership(of: Fixture.digest(1), as: .blob, in: repository) != nil)
        #expect(index.membership(of: Fixture.digest(77), as: .blob, in: repository) == nil)
        #expect(index.membership(of: Fixture.digest(78), as: .blob, in: repository) != nil)
        #expect(
            Set(collect { index.tags(of: repository, after: $0, limit: 9) }.map(\.tag.text)) == ["stored", "pinned"]
        )
        #expect(index.list(.tags, in: repository) == nil)
        #expect(index.list(.referrers(Fixture.digest(1)), in: repository) != nil)
        #expect(index.parents(of: Fixture.digest(2), after: nil, limit: 9).elements == [Fixture.digest(100)])
        #expect(try await index.pruneAll(olderThan: limit) == 0)
    }

    @Test("a new index is to be rebuilt until it says that it is", arguments: Implementation.allCases)
    func rebuild(_ implementation: Implementation) async throws {
        let index = try open(implementation)
        #expect(index.isRebuildPending)
        try await index.commit([.rebuilt])
        #expect(!index.isRebuildPending)
    }

    private func open(_ implementation: Implementation) throws -> any CacheInventory {
        switch implementation {
        case .lmdb: try fixture.open()
        case .memory: MemoryCacheIndex()
        }
    }
}

/// Two images that share a layer.
enum Image {
    typealias Fixture = IndexFixture

    /// Index 101 → manifest 100 → layers 1, 2; index 201 → manifest 200 → layers 2, 3; and a blob 4 of nobody.
    static let two: [IndexChange] =
        [
            manifest(100, of: [1, 2]), manifest(101, of: [100]), manifest(200, of: [2, 3]), manifest(201, of: [200]),
        ] + (1...4).map { .blob(Fixture.digest($0), size: 10) }

    static func manifest(_ number: Int, of references: [Int]) -> IndexChange {
        .manifest(
            Fixture.digest(number),
            bytes: [UInt8](repeating: 1, count: 100),
            references: references.map { Descriptor(mediaType: nil, digest: Fixture.digest($0), size: 10) }
        )
    }
}

extension CacheInventory {
    /// The numbers of what would be evicted, the first first, found by a walk to the end.
    func evictionOrder(
        of kind: ContentKind,
        pages limit: Int = 1000,
        protecting isProtected: (Digest) -> Bool = { _ in false }
    ) async -> [Int] {
        var order: [Int] = []
        var cursor: IndexCursor?
        repeat {
            let page = await evictionCandidates(of: kind, after: cursor, limit: limit, protecting: isProtected)
            order += page.candidates.map { Int($0.digest.hex, radix: 16) ?? -1 }
            cursor = page.next
        } while cursor != nil
        return order
    }

    func pruneAll(olderThan time: WallTime) async throws -> Int {
        var removed = 0
        var cursor: IndexCursor?
        repeat {
            let page = try await prune(olderThan: time, after: cursor, limit: 2)
            removed += page.removed
            cursor = page.next
        } while cursor != nil
        return removed
    }
}

/// All pages of a walk.
func collect<Element>(_ page: (IndexCursor?) -> IndexPage<Element>) -> [Element] {
    var elements: [Element] = []
    var cursor: IndexCursor?
    repeat {
        let page = page(cursor)
        elements += page.elements
        cursor = page.next
    } while cursor != nil
    return elements
}
