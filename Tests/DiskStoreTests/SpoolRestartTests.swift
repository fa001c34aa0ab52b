import Glibc
import Logging
import MirrorCore
import MirrorTesting
import OCI
import Posix
import Testing

@testable import DiskStore

/// What is left of a spool after the process, or the machine, has gone.
@Suite("Spools across restarts", .timeLimit(.minutes(1)))
struct SpoolRestartTests {
    let directory: TemporaryDirectory
    let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 37) }

    init() throws {
        directory = try TemporaryDirectory("restart")
    }

    var digest: Digest { Digest(hashing: bytes, .sha256) }

    @Test("a process that was killed loses nothing of what it had received")
    func killed() async throws {
        let root = directory.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [root = root as String] in
            let store = try DiskBlobStore(root: root, logger: Logger(label: "test"))
            let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            let spool = try store.spool(for: store.digest(of: bytes, .sha256))
            for start in stride(from: 0, to: 33_000, by: 1000) { try spool.append(bytes[start..<start + 1000]) }
            kill(getpid(), SIGKILL)
            // Unreachable; the store and the spool live until here.
            withExtendedLifetime((store, spool)) {}
        }
        let store = try DiskBlobStore(root: root, logger: Logger(label: "test"))
        try await expectResumes(in: store, from: 33_000)
    }

    @Test("and so does the one after it, of the same boot")
    func killedTwice() async throws {
        for end in [10_000, 20_000, 30_000] {
            let store = try makeStore(boot: "one")
            let spool = try await store.unfinished(digest) ?? store.spool(for: digest)
            #expect(spool.received == end - 10_000)
            try spool.append(bytes[spool.received..<end])
            // Let go without a word, as by kill -9.
        }
        try await expectResumes(in: try makeStore(boot: "one"), from: 30_000)
    }

    @Test("after another boot only what was synced counts, and what follows it is cut off")
    func otherBoot() async throws {
        do {
            let store = try makeStore(boot: "one", syncInterval: 10_000)
            let spool = try store.spool(for: digest)
            spool.expect(length: bytes.count)
            try spool.append(bytes[..<10_000])
            // The sync that was asked for is done with the store's threads.
            store.close()
            try spool.append(bytes[10_000..<19_000])
        }
        let log = CollectedLog()
        let store = try makeStore(boot: "two", logger: log.logger)
        #expect(store.unfinishedBlobs.map(\.received) == [10_000])
        #expect(store.unfinishedBlobs.map(\.expectedLength) == [bytes.count])
        #expect(log.metadata == [["unfinished": "1", "bytes": "10000", "cut": "1", "removed": "0", "stuck": "0"]])
        try await expectResumes(in: store, from: 10_000)
    }

    @Test("in the new boot a spool of the old one grows like any other")
    func grownAfterBoot() async throws {
        try leaveSynced(10_000, boot: "one")
        do {
            let spool = try #require(try await makeStore(boot: "two").unfinished(digest))
            try spool.append(bytes[10_000..<15_000])
        }
        // Within the boot all of it, and after the next only what the note says.
        #expect(try makeStore(boot: "two").unfinishedBlobs.map(\.received) == [15_000])
        #expect(try makeStore(boot: "three").unfinishedBlobs.map(\.received) == [10_000])
    }

    @Test("what was kept is durable, all of it")
    func kept() async throws {
        do {
            let store = try makeStore(boot: "one")
            let spool = try store.spool(for: digest)
            try spool.append(bytes[..<12_345])
            await spool.keep()
        }
        try await expectResumes(in: try makeStore(boot: "two"), from: 12_345)
    }

    @Test(
        "a spool without a note, or with one that is damaged, does not survive the machine",
        arguments: [true, false]
    )
    func noNote(isDamaged: Bool) async throws {
        try leaveSynced(10_000, boot: "one")
        let note = try #require(spoolFiles().first { $0.hasSuffix(".note") })
        if isDamaged {
            var text = directory.bytes("spool/\(note)")
            text[20] ^= 1
            try write(text, to: directory.path("spool/\(note)"))
        } else {
            try File.remove(directory.path("spool/\(note)"))
        }
        // The page cache still has it in the same boot, though not its length.
        #expect(try makeStore(boot: "one").unfinishedBlobs.map(\.received) == [10_000])
        #expect(try makeStore(boot: "one").unfinishedBlobs.map(\.expectedLength) == [nil])
        #expect(try makeStore(boot: "two").unfinishedBlobs.isEmpty)
        #expect(spoolFiles().isEmpty)
    }

    @Test("where the boot is not told, or was not noted, each start is one after a boot")
    func unknownBoot() async throws {
        try leaveSynced(10_000, boot: nil)
        let spool = try #require(try await makeStore(boot: nil).unfinished(digest))
        try spool.append(bytes[10_000..<15_000])
        #expect(try makeStore(boot: nil).unfinishedBlobs.map(\.received) == [10_000])
        try File.remove(directory.path("spool.boot"))
        #expect(try makeStore(boot: "one").unfinishedBlobs.map(\.received) == [10_000])
    }

    @Test(
        "a spool that is longer than its blob, or shorter than what was synced, is of no use",
        arguments: [true, false]
    )
    func wrongLength(isLonger: Bool) async throws {
        try leaveSynced(10_000, boot: "one", length: 11_000)
        let name = try #require(spoolFiles().first { !$0.hasSuffix(".note") })
        try write(Array(bytes[..<(isLonger ? 11_001 : 9_999)]), to: directory.path("spool/\(name)"))
        #expect(try makeStore(boot: "one").unfinishedBlobs.isEmpty)
        #expect(spoolFiles().isEmpty)
    }

    @Test("what is no spool, too old, or stored by now is removed; what is in the way stays, and the store starts")
    func junk() async throws {
        let stored = Array("stored".utf8)
        let other = Digest(hashing: stored, .sha512)
        do {
            let store = try makeStore(boot: "one")
            for count in [1000, 3000, 2000] {
                let spool = try store.spool(for: digest)
                try spool.append(bytes[..<count])
            }
            store.close()
        }
        let spools = spoolFiles()
        try directory.write("st", to: "spool/sha512-\(other.hex)-1f")
        try directory.write("stored", to: "blobs/sha512/\(other.hex.prefix(2))/\(other.hex)")
        try directory.write("", to: "spool/sha256-\(other.hex.prefix(64))-2")
        for name in [
            "new-3f", "SHA256-\(digest.hex)-1", "sha256-\(digest.hex)", "sha256-\(digest.hex)-01",
            "sha256-\(digest.hex)-1.note", ".hidden",
        ] {
            try directory.write("junk", to: "spool/\(name)")
        }
        #expect(symlink("/etc/passwd", directory.path("spool/sha256-\(digest.hex)-7")) == 0)
        try directory.makeDirectory("spool/somebody's")
        let log = CollectedLog()
        let store = try makeStore(boot: "one", logger: log.logger)
        #expect(spools.count == 1)
        #expect(spoolFiles() == spools)
        #expect(store.spooledBytes == 3000)
        #expect(log.metadata == [["unfinished": "1", "bytes": "3000", "cut": "0", "removed": "9", "stuck": "1"]])
        try await expectResumes(in: store, from: 3000)
    }

    @Test("a week is long enough, in either direction", arguments: [(6, 1), (-6, 1), (8, 0), (-8, 0)])
    func age(days: Int64, expected: Int) throws {
        try leaveSynced(10_000, boot: "one")
        let now = WallClock.milliseconds + days * 24 * 3600 * 1000
        let rules = SpoolRules(bootID: "one", now: { now })
        let store = try DiskBlobStore(root: directory.path, rules: rules, logger: Logger(label: "test"))
        #expect(store.unfinishedBlobs.count == expected)
        #expect(spoolFiles().isEmpty == (expected == 0))
    }

    @Test("a spool that somebody took away, or cut, is not gone on from", arguments: [true, false])
    func meddled(isRemoved: Bool) async throws {
        try leaveSynced(10_000, boot: "one")
        let store = try makeStore(boot: "one")
        let name = try #require(spoolFiles().first { !$0.hasSuffix(".note") })
        if isRemoved {
            try File.remove(directory.path("spool/\(name)"))
        } else {
            try FileDescriptor.open(directory.path("spool/\(name)"), .update).truncate(to: 5)
        }
        #expect(try await store.unfinished(digest) == nil)
        store.close()
        #expect(spoolFiles().isEmpty)
    }

    @Test("taking up a spool may be cancelled, and leaves it for the next")
    func cancelled() async throws {
        try leaveSynced(10_000, boot: "one")
        let store = try makeStore(boot: "one")
        let digest = digest
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.unfinished(digest) != nil
        }
        await #expect(throws: StoreError.cancelled) { try await task.value }
        try await expectResumes(in: store, from: 10_000)
    }

    // MARK: -

    private func makeStore(
        boot: String?,
        syncInterval: Int = 64 << 20,
        logger: Logger = Logger(label: "test")
    ) throws -> DiskBlobStore {
        let rules = SpoolRules(syncInterval: syncInterval, bootID: boot)
        return try DiskBlobStore(root: directory.path, rules: rules, logger: logger)
    }

    /// Leaves the beginning of the blob, synced and noted.
    private func leaveSynced(_ count: Int, boot: String?, length: Int? = nil) throws {
        let store = try makeStore(boot: boot, syncInterval: count)
        let spool = try store.spool(for: digest)
        if let length { spool.expect(length: length) }
        try spool.append(bytes[..<count])
        store.close()
    }

    private func expectResumes(in store: DiskBlobStore, from offset: Int) async throws {
        let spool = try #require(try await store.unfinished(digest))
        #expect(spool.received == offset)
        try spool.append(bytes[offset...])
        #expect(spool.verify())
        try await spool.land()
        #expect(try contents(store.open(digest, .blob)) == bytes)
        let left = spoolFiles().filter { $0.hasPrefix("sha256") }
        #expect(left.isEmpty)
    }

    private func spoolFiles() -> [String] {
        directory.files(under: "spool").sorted()
    }
}
