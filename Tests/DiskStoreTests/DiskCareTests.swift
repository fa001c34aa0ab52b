import Glibc
import Logging
import MirrorCore
import MirrorTesting
import OCI
import Testing

@testable import DiskStore
@testable import Posix

@Suite("Looking after the disk", .timeLimit(.minutes(1)))
struct DiskCareTests {
    static let isOnDisk = (try? FileSystem.mountType(of: "/tmp")) != "tmpfs"

    let directory: TemporaryDirectory
    let store: DiskBlobStore

    init() throws {
        directory = try TemporaryDirectory("care")
        store = try DiskBlobStore(root: directory.path, logger: Logger(label: "test"))
    }

    @Test("of many that land at once each succeeds or fails for itself")
    func groups() async throws {
        let blobs = (0..<200)
            .map { [UInt8(truncatingIfNeeded: $0), UInt8($0 / 256)] + [UInt8](repeating: 1, count: 500) }
        let blocked = store.digest(of: blobs[100], .sha256).hex.prefix(2)
        try directory.write("in the way", to: "blobs/sha256/\(blocked)")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for bytes in blobs {
                group.addTask {
                    let digest = store.digest(of: bytes, .sha256)
                    let spool = try store.spool(for: digest)
                    try spool.append(bytes)
                    try #require(spool.verify())
                    if digest.hex.hasPrefix(blocked) {
                        await #expect(throws: StoreError.self) { try await spool.land() }
                        spool.discard()
                    } else {
                        try await spool.land()
                        #expect(try contents(store.open(digest, .blob)) == bytes)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(directory.files(under: "spool").isEmpty)
    }

    @Test("growing spools are synced one at a time, and blobs land meanwhile")
    func oneSync() async throws {
        let release = Mailbox<Int>()
        #expect(store.spools.sync { _ = release.take() })
        #expect(!store.spools.sync { Issue.record("a second sync ran") })
        let digest = try await land([1])
        #expect(try contents(store.open(digest, .blob)) == [1])
        #expect(release.post(1))
        // The turn is given back when the sync is done.
        while !store.spools.sync({}) { await Task.yield() }
    }

    @Test("a walk reports foreign names and leaves them alone")
    func foreign() async throws {
        let digest = try await land([1])
        let shard = String(digest.hex.prefix(2))
        let other = shard == "00" ? "01" : "00"
        let foreign = [
            "blobs/notes.txt", "blobs/sha256/README", "blobs/sha256/\(shard)/\(digest.hex).bak",
            "blobs/sha256/\(other)/\(digest.hex)", "blobs/sha512/\(shard)",
        ]
        for name in foreign { try directory.write("not ours", to: name) }
        try directory.makeDirectory("blobs/sha256/\(shard)/directory")
        let all = foreign + ["blobs/sha256/\(shard)/directory"]
        var met: [String] = []
        var contents: [StoredContent] = []
        var position: WalkPosition? = .start
        while let from = position {
            let batch = try await store.stored(.blob, from: from)
            met += batch.foreign
            contents += batch.contents
            position = batch.next
        }
        #expect(met.sorted() == all.sorted())
        #expect(contents == [StoredContent(digest: digest, size: 1)])
        #expect(directory.read("blobs/notes.txt") == "not ours")
    }

    @Test("a position that never was is the end, or the start")
    func positions() async throws {
        let digest = try await land([1])
        let end = try await store.stored(.blob, from: WalkPosition(rawValue: .max))
        #expect(end == StoredBatch(contents: [], foreign: [], next: nil, progress: 1))
        let start = try await store.stored(.blob, from: WalkPosition(rawValue: .min))
        #expect(start.contents.map(\.digest) == [digest])
    }

    @Test("what the device cannot read is a verdict, and so is what is no file")
    func unreadable() async throws {
        // Reading a process's memory at address 0 gives EIO.
        let check = ContentCheck(of: store.digest(of: [1], .sha256), size: nil, at: "/proc/self/mem", on: store.threads)
        #expect(try await check.run(at: nil) == .unreadable(errno: EIO))
        let digest = store.digest(of: [1], .sha256)
        let path = "blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)"
        try directory.makeDirectory(path)
        #expect(try await store.check(digest, .blob, size: 1, pace: nil) == .unreadable(errno: EINVAL))
    }

    @Test("a look leaves in memory what was there, and nothing else", .enabled(if: isOnDisk, "/tmp is in memory"))
    func pageCache() async throws {
        let bytes = [UInt8](repeating: 7, count: 3 << 20)
        let digest = try await land(bytes)
        let file = try #require(try store.open(digest, .blob))
        // As it has just been written.
        try #require(PageCache.holds(file.descriptor, offset: 0, count: bytes.count))
        #expect(try await store.check(digest, .blob, size: bytes.count, pace: nil) == .intact)
        #expect(PageCache.holds(file.descriptor, offset: 0, count: bytes.count))
        PageCache.drop(file.descriptor, offset: 0, count: bytes.count)
        #expect(try await store.check(digest, .blob, size: bytes.count, pace: nil) == .intact)
        #expect(!PageCache.holds(file.descriptor, offset: 1 << 20, count: 1 << 20))
    }

    @Test("the quarantine keeps the newest 16, under names that tell what they were")
    func quarantine() async throws {
        var digests: [Digest] = []
        for number in 0..<20 as Range<UInt8> {
            let digest = try await land([number])
            digests.append(digest)
            var quarantine = Quarantine(in: store.layout)
            quarantine.now = Int64(number)
            #expect(try quarantine.take(digest, .blob))
        }
        let names = directory.files(under: "quarantine")
        #expect(names.sorted() == (4..<20).map { "sha256-\(digests[$0].hex).\($0)" }.sorted())
    }

    @Test(
        "a landing that finds no room leaves the spool as it was",
        .enabled(if: SmallFileSystem.isAvailable, "mounting needs root")
    )
    func fullLanding() async throws {
        // Room for the files but for no directory more.
        let disk = try SmallFileSystem(bytes: 1 << 20, files: 12)
        let store = try DiskBlobStore(root: disk.root, logger: Logger(label: "test"))
        let bytes = [UInt8](repeating: 4, count: 10_000)
        let digest = store.digest(of: bytes, .sha256)
        let spool = try store.spool(for: digest)
        try spool.append(bytes)
        #expect(spool.verify())
        var ballast = 0
        while (try? write([], to: disk.path("ballast-\(ballast)"))) != nil { ballast += 1 }
        await #expect(throws: StoreError.full) { try await spool.land() }
        await #expect(throws: StoreError.full) {
            try await store.store([1], as: store.digest(of: [1], .sha256), .manifest)
        }
        #expect(throws: StoreError.full) { _ = try store.spool(for: digest) }
        // No room for a note either, and it waits all the same.
        await spool.keep()
        #expect(store.spooledBytes == bytes.count)
        let again = try #require(try await store.unfinished(digest))
        #expect(again.verify())
        try #require(ballast > 0)
        for number in 0..<ballast { try File.remove(disk.path("ballast-\(number)")) }
        try await again.land()
        #expect(try contents(store.open(digest, .blob)) == bytes)
    }

    @Test(
        "the store starts on a disk without any room left",
        .enabled(if: SmallFileSystem.isAvailable, "mounting needs root")
    )
    func fullStart() throws {
        let disk = try SmallFileSystem(bytes: 64 << 10, files: 64)
        _ = try DiskBlobStore(root: disk.root, logger: Logger(label: "test"))
        try File.remove(disk.path("spool.boot"))
        let ballast = try FileDescriptor.open(disk.path("ballast"), .createNew)
        #expect(throws: SystemCallError.self) { try ballast.write([UInt8](repeating: 0, count: 1 << 20).span, at: 0) }
        let log = CollectedLog()
        _ = try DiskBlobStore(root: disk.root, logger: log.logger)
        #expect(log.messages == ["the boot could not be noted"])
        #expect((try? Directory.names(in: disk.path("spool"))) == [])
    }

    private func land(_ bytes: [UInt8]) async throws -> Digest {
        let digest = store.digest(of: bytes, .sha256)
        let spool = try store.spool(for: digest)
        try spool.append(bytes)
        try #require(spool.verify())
        try await spool.land()
        return digest
    }
}
