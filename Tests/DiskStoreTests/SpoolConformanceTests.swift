import DiskStore
import MirrorCore
import MirrorTesting
import OCI
import Testing

/// What every implementation of the port must do with blobs whose flights did not come home.
@Suite("Unfinished blobs", .timeLimit(.minutes(1)))
struct SpoolConformanceTests {
    typealias Implementation = BlobStoreConformanceTests.Implementation

    let directory: TemporaryDirectory
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    init() throws {
        directory = try TemporaryDirectory("spools")
    }

    @Test("the next flight goes on from what was kept, and lands", arguments: Implementation.allCases)
    func keeps(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        for algorithm in Digest.Algorithm.allCases {
            let digest = store.digest(of: bytes, algorithm)
            let first = try store.spool(for: digest)
            #expect(first.received == 0)
            #expect(first.expectedLength == nil)
            first.expect(length: bytes.count)
            try first.append(bytes[..<70_000])
            await first.keep()
            #expect(store.unfinishedBlobs == [unfinished(digest, 70_000, expectedLength: bytes.count)])
            #expect(store.spooledBytes == 70_000)
            let second = try #require(try await store.unfinished(digest))
            #expect(second.received == 70_000)
            #expect(second.expectedLength == bytes.count)
            #expect(try contents(second.file) == Array(bytes[..<70_000]))
            try second.append(bytes[70_000...])
            #expect(second.verify())
            try await second.land()
            #expect(try contents(store.open(digest, .blob)) == bytes)
            #expect(store.unfinishedBlobs.isEmpty)
        }
    }

    @Test("a spool that is let go is kept too", arguments: Implementation.allCases)
    func dropped(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: bytes, .sha256)
        for count in [10, 20, 100_000] {
            let spool = try await store.unfinished(digest) ?? store.spool(for: digest)
            try spool.append(bytes[spool.received..<count])
        }
        let last = try #require(try await store.unfinished(digest))
        #expect(last.received == bytes.count)
        // Complete: there is nothing to append.
        #expect(last.verify())
        try await last.land()
        #expect(try contents(store.open(digest, .blob)) == bytes)
    }

    @Test("what is empty, wrong, discarded or landed is not kept", arguments: Implementation.allCases)
    func useless(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: bytes, .sha256)
        await (try store.spool(for: digest)).keep()
        do {
            let wrong = try store.spool(for: digest)
            try wrong.append([1])
            #expect(!wrong.verify())
            await wrong.keep()
            let alsoWrong = try store.spool(for: digest)
            try alsoWrong.append([1])
            #expect(!alsoWrong.verify())
            let discarded = try store.spool(for: digest)
            try discarded.append([1])
            discarded.discard()
            await discarded.keep()
        }
        #expect(store.unfinishedBlobs.isEmpty)
        let landed = try store.spool(for: digest)
        try landed.append(bytes)
        #expect(landed.verify())
        try await landed.land()
        await landed.keep()
        #expect(store.unfinishedBlobs.isEmpty)
        #expect(try await store.unfinished(digest) == nil)
        #expect(try contents(store.open(digest, .blob)) == bytes)
    }

    @Test("a verified spool may be kept, to land later", arguments: Implementation.allCases)
    func verified(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: bytes, .sha256)
        let spool = try store.spool(for: digest)
        try spool.append(bytes)
        #expect(spool.verify())
        await spool.keep()
        #expect(try store.open(digest, .blob) == nil)
        let next = try #require(try await store.unfinished(digest))
        #expect(next.verify())
        try await next.land()
        #expect(try contents(store.open(digest, .blob)) == bytes)
    }

    @Test("what is kept is over for who had it", arguments: Implementation.allCases)
    func ended(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: bytes, .sha256)
        let spool = try store.spool(for: digest)
        try spool.append(bytes[..<10])
        let file = spool.file
        await spool.keep()
        #expect(throws: StoreError.self) { try spool.append([1]) }
        await #expect(throws: StoreError.self) { try await spool.land() }
        #expect(!spool.verify())
        spool.discard()
        #expect(store.spooledBytes == 10)
        // Its readers have what they had.
        #expect(try contents(file) == Array(bytes[..<10]))
    }

    @Test("one flight takes it up, and of two spools the longer one is kept", arguments: Implementation.allCases)
    func oneOwner(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: bytes, .sha256)
        for count in [20, 30, 10] {
            let spool = try store.spool(for: digest)
            try spool.append(bytes[..<count])
            await spool.keep()
        }
        #expect(store.unfinishedBlobs == [unfinished(digest, 30)])
        let taken = try #require(try await store.unfinished(digest))
        #expect(taken.received == 30)
        #expect(try await store.unfinished(digest) == nil)
        await store.dropUnfinished(digest)
        await taken.keep()
        #expect(store.spooledBytes == 30)
        await store.dropUnfinished(digest)
        #expect(try await store.unfinished(digest) == nil)
    }

    @Test("landing takes away what earlier flights have left of the blob", arguments: Implementation.allCases)
    func landedAnew(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: bytes, .sha256)
        let first = try store.spool(for: digest)
        try first.append(bytes[..<10])
        await first.keep()
        let second = try store.spool(for: digest)
        try second.append(bytes)
        #expect(second.verify())
        try await second.land()
        #expect(store.unfinishedBlobs.isEmpty)
    }

    private func unfinished(_ digest: Digest, _ received: Int, expectedLength: Int? = nil) -> UnfinishedBlob {
        UnfinishedBlob(digest: digest, received: received, expectedLength: expectedLength)
    }
}
