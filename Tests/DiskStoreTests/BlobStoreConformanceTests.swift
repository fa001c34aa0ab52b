import DiskStore
import Logging
import MirrorCore
import MirrorTesting
import OCI
import Testing

/// What every implementation of the port must do; the one in memory too, since other tests stand on it.
@Suite("Blob store", .timeLimit(.minutes(1)))
struct BlobStoreConformanceTests {
    enum Implementation: CaseIterable {
        case disk
        case memory

        func makeStore(in directory: TemporaryDirectory) throws -> any BlobStore {
            switch self {
            case .disk: try DiskBlobStore(root: directory.path, logger: Logger(label: "test"))
            case .memory: MemoryBlobStore()
            }
        }
    }

    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory("store")
    }

    @Test("a blob is not there until it has landed, and then it is, whole", arguments: Implementation.allCases)
    func lands(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        for algorithm in Digest.Algorithm.allCases {
            let bytes = Array("some \(algorithm) content".utf8)
            let digest = store.digest(of: bytes, algorithm)
            #expect(digest.algorithm == algorithm)
            let spool = try store.spool(for: digest)
            try spool.append(bytes[..<4])
            try spool.append(bytes[4...])
            #expect(spool.verify())
            #expect(try store.open(digest, .blob) == nil)
            try await spool.land()
            #expect(try contents(store.open(digest, .blob)) == bytes)
            #expect(try store.open(digest, .manifest) == nil)
        }
    }

    @Test("what does not have its digest never lands", arguments: Implementation.allCases)
    func refusesWrongContent(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: [1, 2, 3], .sha256)
        for bytes in [[1, 2], [1, 2, 3, 4], [1, 2, 4], []] as [[UInt8]] {
            let spool = try store.spool(for: digest)
            try spool.append(bytes)
            #expect(!spool.verify())
            #expect(!spool.verify())
            await #expect(throws: StoreError.self) { try await spool.land() }
            #expect(try store.open(digest, .blob) == nil)
        }
    }

    @Test("what was not verified never lands", arguments: Implementation.allCases)
    func refusesUnverified(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: [1, 2, 3], .sha256)
        let spool = try store.spool(for: digest)
        try spool.append([1, 2, 3])
        await #expect(throws: StoreError.self) { try await spool.land() }
        #expect(try store.open(digest, .blob) == nil)
    }

    @Test("nothing is added after the end", arguments: Implementation.allCases)
    func ends(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: [1], .sha256)
        let spool = try store.spool(for: digest)
        try spool.append([1])
        #expect(spool.verify())
        #expect(throws: StoreError.self) { try spool.append([2]) }
        try await spool.land()
        #expect(throws: StoreError.self) { try spool.append([2]) }
        await #expect(throws: StoreError.self) { try await spool.land() }
        #expect(try contents(store.open(digest, .blob)) == [1])
        let discarded = try store.spool(for: digest)
        discarded.discard()
        discarded.discard()
        #expect(throws: StoreError.self) { try discarded.append([1]) }
        #expect(!discarded.verify())
    }

    @Test(
        "a follower reads the file while it grows, after landing, and after discarding",
        arguments: Implementation.allCases
    )
    func followers(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: [1, 2, 3], .sha256)
        let spool = try store.spool(for: digest)
        let file = spool.file
        #expect(file.size == 0)
        try spool.append([1, 2])
        #expect(file.size == 2)
        #expect(try contents(file) == [1, 2])
        try spool.append([3])
        #expect(spool.verify())
        try await spool.land()
        #expect(try contents(file) == [1, 2, 3])
        let other = try store.spool(for: digest)
        try other.append([9])
        let otherFile = other.file
        other.discard()
        #expect(try contents(otherFile) == [9])
    }

    @Test("landing one digest several times at once leaves one blob", arguments: Implementation.allCases)
    func concurrentLanding(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let bytes = [UInt8](repeating: 5, count: 100_000)
        let digest = store.digest(of: bytes, .sha256)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    let spool = try store.spool(for: digest)
                    try spool.append(bytes)
                    #expect(spool.verify())
                    try await spool.land()
                    // Another's landing may just have put its file in the place of this one, and not vouched for it yet.
                    guard case .intact(let file) = try await store.confirm(digest, .blob, size: bytes.count)
                    else {
                        Issue.record("what has landed is not there")
                        return
                    }
                    #expect(try contents(file) == bytes)
                }
            }
            try await group.waitForAll()
        }
        #expect(try contents(store.open(digest, .blob)) == bytes)
    }

    @Test("a manifest is stored under its digest, and may be stored again", arguments: Implementation.allCases)
    func manifests(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let bytes = Array("{}".utf8)
        let digest = store.digest(of: bytes, .sha256)
        for _ in 0..<2 { try await store.store(bytes, as: digest, .manifest) }
        let file = try #require(try store.open(digest, .manifest))
        #expect(try await store.contents(of: file) == bytes)
        #expect(try store.open(digest, .blob) == nil)
    }

    @Test("the common prefix of two spools", arguments: Implementation.allCases)
    func commonPrefix(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: [], .sha256)
        let bytes = [UInt8](repeating: 5, count: 600_000)
        for length in [0, 1, 262_144, 300_000, 600_000] {
            let one = try store.spool(for: digest)
            let other = try store.spool(for: digest)
            try one.append(bytes)
            try other.append(bytes[..<length] + [6])
            #expect(try await one.commonPrefix(with: other) == length)
            #expect(try await other.commonPrefix(with: one) == length)
        }
    }
}
