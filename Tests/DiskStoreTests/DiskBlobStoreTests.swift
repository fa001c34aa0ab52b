import Glibc
import Logging
import MirrorCore
import MirrorTesting
import OCI
import Posix
import Testing

@testable import DiskStore

@Suite("Disk blob store", .timeLimit(.minutes(1)))
struct DiskBlobStoreTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory("store")
    }

    @Test("content lies where its digest says, for its owner only")
    func layout() async throws {
        let store = try makeStore()
        try await land(Array("abc".utf8), in: store)
        try await store.store(Array("{}".utf8), as: store.digest(of: Array("{}".utf8), .sha512), .manifest)
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(directory.read("blobs/sha256/ba/\(abc)") == "abc")
        let files = directory.files().sorted()
        #expect(files.count == 3)
        #expect(files[2] == "spool.boot")
        #expect(files[0] == "blobs/sha256/ba/\(abc)")
        #expect(files[1].hasPrefix("manifests/sha512/"))
        #expect(files[1].split(separator: "/").last?.count == 128)
        let mode = try #require(permissions(of: directory.path("blobs")))
        #expect(mode == 0o700)
    }

    @Test("a spool's name begins with its digest, and no two are the same")
    func namesOfSpools() throws {
        let store = try makeStore()
        let digest = store.digest(of: [1], .sha256)
        let spools = try (0..<10).map { _ in try store.spool(for: digest) }
        let names = spoolNames()
        #expect(names.count == spools.count)
        #expect(names.allSatisfy { $0.hasPrefix("sha256-\(digest.hex)-") })
    }

    @Test("discarding removes the files, and nothing is left of what has landed")
    func noSpoolsLeft() async throws {
        let rules = SpoolRules(syncInterval: 1)
        let store = try DiskBlobStore(root: directory.path, rules: rules, logger: Logger(label: "test"))
        let digest = store.digest(of: [1], .sha256)
        let discarded = try store.spool(for: digest)
        try discarded.append([1])
        discarded.discard()
        // A sync that comes late leaves no note behind.
        let landed = try await land([1], in: store)
        landed.discard()
        store.close()
        #expect(spoolNames().isEmpty)
        #expect(try contents(store.open(digest, .blob)) == [1])
    }

    @Test("a landing that failed may be tried again")
    func retriesLanding() async throws {
        let store = try makeStore()
        let digest = store.digest(of: [1, 2], .sha256)
        let obstacle = "blobs/sha256/\(digest.hex.prefix(2))"
        try directory.write("in the way", to: obstacle)
        let spool = try store.spool(for: digest)
        try spool.append([1, 2])
        #expect(spool.verify())
        await #expect(throws: StoreError.failed(call: "mkdir", errno: ENOTDIR)) { try await spool.land() }
        #expect(try store.open(digest, .blob) == nil)
        try File.remove(directory.path(obstacle))
        try await spool.land()
        #expect(try contents(store.open(digest, .blob)) == [1, 2])
    }

    @Test("a shard that somebody removed is made again")
    func removedShard() async throws {
        let store = try makeStore()
        let digest = store.digest(of: [1], .sha256)
        try await land([1], in: store)
        try File.remove(directory.path("blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)"))
        #expect(rmdir(directory.path("blobs/sha256/\(digest.hex.prefix(2))")) == 0)
        let spool = try store.spool(for: digest)
        try spool.append([1])
        #expect(spool.verify())
        await #expect(throws: StoreError.self) { try await spool.land() }
        try await spool.land()
        #expect(try contents(store.open(digest, .blob)) == [1])
    }

    @Test("an open file stays readable when its name goes")
    func removed() async throws {
        let store = try makeStore()
        let digest = store.digest(of: [1, 2, 3], .sha256)
        try await land([1, 2, 3], in: store)
        let file = try #require(try store.open(digest, .blob))
        try File.remove(directory.path("blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)"))
        #expect(try store.open(digest, .blob) == nil)
        #expect(try contents(file) == [1, 2, 3])
    }

    @Test("a name that is no file is not opened")
    func noFile() throws {
        let store = try makeStore()
        let digest = store.digest(of: [1], .sha256)
        let path = "blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)"
        try directory.makeDirectory(path)
        #expect(throws: StoreError.doubtful) { _ = try store.open(digest, .blob) }
        #expect(rmdir(directory.path(path)) == 0)
        let secret = try directory.write("secret", to: "secret")
        #expect(symlink(secret, directory.path(path)) == 0)
        #expect(throws: StoreError.doubtful) { _ = try store.open(digest, .blob) }
    }

    @Test("bytes with another digest are not stored")
    func wrongDigest() async throws {
        let store = try makeStore()
        let digest = store.digest(of: [1], .sha256)
        await #expect(throws: StoreError.wrongDigest) { try await store.store([2], as: digest, .manifest) }
        #expect(try store.open(digest, .manifest) == nil)
        #expect(directory.files() == ["spool.boot"])
    }

    @Test("a closed store has done what it was given, and takes no more")
    func closed() async throws {
        let store = try makeStore()
        let digest = store.digest(of: [1], .sha256)
        let spool = try store.spool(for: digest)
        try spool.append([1])
        #expect(spool.verify())
        store.close()
        await #expect(throws: StoreError.closed) { try await spool.land() }
        #expect(try store.open(digest, .blob) == nil)
        spool.discard()
        #expect(spoolNames().isEmpty)
    }

    @Test("a root that cannot be used says which and why")
    func unusable() throws {
        try directory.write("", to: "blobs")
        let error = #expect(throws: SystemCallError.self) { _ = try makeStore() }
        #expect(error?.path?.hasPrefix(directory.path("blobs")) == true)
        #expect(error?.errno == ENOTDIR)
    }

    @Test(
        "a full disk is told as such, and takes no room",
        .enabled(if: SmallFileSystem.isAvailable, "mounting needs root")
    )
    func full() async throws {
        let disk = try SmallFileSystem(bytes: 1 << 20)
        let store = try DiskBlobStore(root: disk.root, logger: Logger(label: "test"))
        let large = [UInt8](repeating: 3, count: 2 << 20)
        let digest = store.digest(of: large, .sha256)
        let spool = try store.spool(for: digest)
        try spool.append(large[..<1000])
        #expect(throws: StoreError.full) { try spool.append(large[1000...]) }
        // Followers were promised what was written, and no more.
        #expect(spool.file.size == 1000)
        await #expect(throws: StoreError.full) {
            try await store.store(large, as: digest, .manifest)
        }
        spool.discard()
        let small = [UInt8](repeating: 4, count: 600_000)
        try await land(small, in: store)
        #expect(try contents(store.open(store.digest(of: small, .sha256), .blob)) == small)
    }

    @Test(
        "a write that failed may be tried again, and the digest is still right",
        .enabled(if: SmallFileSystem.isAvailable, "mounting needs root")
    )
    func retriesWriting() async throws {
        let disk = try SmallFileSystem(bytes: 1 << 20)
        let store = try DiskBlobStore(root: disk.root, logger: Logger(label: "test"))
        let ballast = disk.path("ballast")
        let bytes = [UInt8](repeating: 3, count: 600_000)
        let spool = try store.spool(for: store.digest(of: bytes, .sha256))
        try spool.append(bytes[..<100_000])
        let other = try FileDescriptor.open(ballast, .createNew)
        try other.write([UInt8](repeating: 0, count: 600_000).span, at: 0)
        #expect(throws: StoreError.full) { try spool.append(bytes[100_000...]) }
        try other.truncate(to: 0)
        try spool.append(bytes[100_000...])
        #expect(spool.verify())
        try await spool.land()
    }

    @Test("after a kill at any moment, what has a name is whole", .timeLimit(.minutes(2)))
    func killed() async throws {
        let root = directory.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [root = root as String] in
            let store = try DiskBlobStore(root: root, logger: Logger(label: "test"))
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<64 {
                    group.addTask {
                        let bytes = [UInt8](repeating: UInt8(number), count: 50_000)
                        guard let spool = try? store.spool(for: store.digest(of: bytes, .sha256)) else { return }
                        try? spool.append(bytes)
                        _ = spool.verify()
                        try? await spool.land()
                        // Others are writing and landing at this moment.
                        if number == 40 { kill(getpid(), SIGKILL) }
                    }
                }
            }
        }
        let store = try makeStore()
        // What had not landed waits, whole; what had landed does not.
        for left in store.unfinishedBlobs {
            #expect(left.received == 50_000)
            let spool = try #require(try await store.unfinished(left.digest))
            #expect(spool.verify())
            #expect(try store.open(left.digest, .blob) == nil)
            try await spool.land()
        }
        #expect(spoolNames().isEmpty)
        let names = directory.files(under: "blobs")
        #expect(!names.isEmpty)
        for name in names {
            let hex = try #require(name.split(separator: "/").last)
            let digest = try Digest("sha256:\(hex)")
            // One that was killed before it was marked is hashed first.
            guard case .intact(let file) = try await store.confirm(digest, .blob, size: nil) else {
                Issue.record("\(name) is not whole")
                continue
            }
            #expect(store.digest(of: try contents(file), .sha256) == digest)
        }
    }

    private func makeStore() throws -> DiskBlobStore {
        try DiskBlobStore(root: directory.path, logger: Logger(label: "test"))
    }

    @discardableResult
    private func land(_ bytes: [UInt8], in store: DiskBlobStore) async throws -> any Spool {
        let spool = try store.spool(for: store.digest(of: bytes, .sha256))
        try spool.append(bytes)
        try #require(spool.verify())
        try await spool.land()
        return spool
    }

    private func spoolNames() -> [String] {
        directory.files(under: "spool")
    }

    private func permissions(of path: String) -> UInt32? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }
}
