import DiskStore
import MirrorCore
import MirrorTesting
import OCI
import Testing

/// What every implementation of the port must do for those who look after the cache.
@Suite("Looking after the store", .timeLimit(.minutes(1)))
struct CareConformanceTests {
    typealias Implementation = BlobStoreConformanceTests.Implementation

    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory("care")
    }

    @Test("what is removed is gone, and what is not there is no error", arguments: Implementation.allCases)
    func removes(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digests = try await (0..<200).asyncMap { try await land(number: $0, in: store) }
        try await store.store([1], as: store.digest(of: [1], .sha256), .manifest)
        let (gone, left) = (digests[..<150], digests[150...])
        try await store.remove(Array(gone), .blob)
        try await store.remove(Array(gone) + [store.digest(of: [9, 9], .sha512)], .blob)
        try await store.remove([], .manifest)
        for digest in gone { #expect(try store.open(digest, .blob) == nil) }
        for digest in left { #expect(try store.open(digest, .blob) != nil) }
        // A manifest's name is not a blob's.
        try await store.remove([store.digest(of: [1], .sha256)], .blob)
        #expect(try store.open(store.digest(of: [1], .sha256), .manifest) != nil)
    }

    @Test("an open file is a lease until the last reader lets it go", arguments: Implementation.allCases)
    func leases(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = try await land(number: 1, in: store)
        #expect(!store.isLeased(digest, .blob))
        do {
            let first = try store.open(digest, .blob)
            do {
                let second = try store.open(digest, .blob)
                #expect(store.isLeased(digest, .blob))
                withExtendedLifetime(second) {}
            }
            #expect(store.isLeased(digest, .blob))
            #expect(!store.isLeased(digest, .manifest))
            withExtendedLifetime(first) {}
        }
        #expect(!store.isLeased(digest, .blob))
        let absent = store.digest(of: [0xff], .sha256)
        #expect(try store.open(absent, .blob) == nil)
        #expect(!store.isLeased(absent, .blob))
    }

    @Test("who follows a blob as it comes has a lease, after it has landed too", arguments: Implementation.allCases)
    func followers(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = store.digest(of: [1, 2], .sha256)
        do {
            let file: any StoredFile
            do {
                let spool = try store.spool(for: digest)
                file = spool.file
                try spool.append([1, 2])
                #expect(spool.verify())
                try await spool.land()
            }
            #expect(store.isLeased(digest, .blob))
            withExtendedLifetime(file) {}
        }
        #expect(!store.isLeased(digest, .blob))
    }

    @Test(
        "a walk meets everything of its kind once, in order, and goes on from any position",
        arguments: Implementation.allCases
    )
    func walks(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digests = try await (0..<40)
            .asyncMap { try await land(number: $0, in: store, $0 % 3 == 0 ? .sha512 : .sha256) }
        try await store.store([1], as: store.digest(of: [1], .sha256), .manifest)
        var met: [StoredContent] = []
        var rests: [(WalkPosition, Int)] = []
        var position: WalkPosition? = .start
        var progress = 0.0
        while let from = position {
            rests.append((from, met.count))
            let batch = try await store.stored(.blob, from: from)
            #expect(batch.foreign.isEmpty)
            #expect(batch.progress >= progress && batch.progress <= 1)
            progress = batch.progress
            met += batch.contents
            position = batch.next
        }
        #expect(progress == 1)
        #expect(met.map(\.digest) == digests.sorted { "\($0)" < "\($1)" })
        #expect(met.allSatisfy { $0.size == 3000 })
        for (start, count) in rests {
            let batch = try await store.stored(.blob, from: WalkPosition(rawValue: start.rawValue))
            #expect(batch.contents == Array(met[count...].prefix(batch.contents.count)))
        }
        let manifests = try await store.stored(.manifest, from: .start)
        #expect(manifests.contents == [StoredContent(digest: store.digest(of: [1], .sha256), size: 1)])
    }

    @Test("a walk through nothing ends at once", arguments: Implementation.allCases)
    func emptyWalk(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let batch = try await store.stored(.blob, from: .start)
        #expect(batch == StoredBatch(contents: [], foreign: [], next: nil, progress: 1))
    }

    @Test("a look at a file tells what is wrong with it", arguments: Implementation.allCases)
    func verdicts(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = try await land(number: 1, in: store, .sha512)
        #expect(try await store.check(digest, .blob, size: 3000, pace: nil) == .intact)
        #expect(try await store.check(digest, .blob, size: nil, pace: nil) == .intact)
        #expect(try await store.check(digest, .manifest, size: nil, pace: nil) == .missing)
        var bytes = try contents(store.open(digest, .blob))
        bytes[1500] ^= 1
        try implementation.overwrite(digest, with: bytes, in: store, directory)
        #expect(try await store.check(digest, .blob, size: 3000, pace: nil) == .damaged)
        try implementation.overwrite(digest, with: Array(bytes[..<10]), in: store, directory)
        #expect(try await store.check(digest, .blob, size: 3000, pace: nil) == .short(10))
        #expect(try await store.check(digest, .blob, size: nil, pace: nil) == .damaged)
        try implementation.overwrite(digest, with: [], in: store, directory)
        #expect(try await store.check(digest, .blob, size: 3000, pace: nil) == .short(0))
    }

    @Test("a look keeps to its pace, and ends when it is cancelled", arguments: Implementation.allCases)
    func pace(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = try await land(number: 1, in: store)
        let clock = RecordingClock()
        let pace = Pace(bytesPerSecond: 1000, time: clock.timekeeper)
        #expect(try await store.check(digest, .blob, size: nil, pace: pace) == .intact)
        #expect(clock.slept == .seconds(3))
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.check(digest, .blob, size: nil, pace: pace)
        }
        await #expect(throws: StoreError.self) { try await task.value }
    }

    @Test("what is put aside is gone, and may come again", arguments: Implementation.allCases)
    func quarantines(implementation: Implementation) async throws {
        let store = try implementation.makeStore(in: directory)
        let digest = try await land(number: 1, in: store)
        #expect(try await store.quarantine(digest, .blob))
        #expect(try store.open(digest, .blob) == nil)
        #expect(try await store.check(digest, .blob, size: 3000, pace: nil) == .missing)
        #expect(try await !store.quarantine(digest, .blob))
        #expect(try await land(number: 1, in: store) == digest)
        #expect(try await store.check(digest, .blob, size: 3000, pace: nil) == .intact)
    }

    @Test("the room is that of the device", arguments: Implementation.allCases)
    func space(implementation: Implementation) async throws {
        let space = try await implementation.makeStore(in: directory).space()
        #expect(space.total > 0)
        #expect((0...space.total).contains(space.free))
    }

    /// Lands a blob of 3,000 bytes.
    private func land(
        number: Int,
        in store: any BlobStore,
        _ algorithm: Digest.Algorithm = .sha256
    ) async throws -> Digest {
        let bytes = [UInt8](repeating: UInt8(number), count: 3000)
        let digest = store.digest(of: bytes, algorithm)
        let spool = try store.spool(for: digest)
        try spool.append(bytes)
        try #require(spool.verify())
        try await spool.land()
        return digest
    }
}

extension BlobStoreConformanceTests.Implementation {
    /// Puts other bytes where a blob is, behind the store's back.
    func overwrite(
        _ digest: Digest,
        with bytes: [UInt8],
        in store: any BlobStore,
        _ directory: TemporaryDirectory
    ) throws {
        switch self {
        case .disk:
            let path = "blobs/\(digest.algorithm.rawValue)/\(digest.hex.prefix(2))/\(digest.hex)"
            try write(bytes, to: directory.path(path))
        case .memory: (store as? MemoryBlobStore)?.damage(digest, .blob, to: bytes)
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
