import FoundationEssentials
import Glibc
import Logging
import MirrorCore
import MirrorTesting
import OCI
import Testing

@testable import DiskStore
@testable import Posix

@Suite("Marks on stored files", .timeLimit(.minutes(1)))
struct MarkTests {
    let directory: TemporaryDirectory
    let store: DiskBlobStore
    let bytes = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    init() throws {
        directory = try TemporaryDirectory("marks")
        store = try DiskBlobStore(root: directory.path, logger: Logger(label: "test"))
        try #require(store.keepsMarks)
    }

    /// In microseconds: more than the tolerance of a mark.
    static let sometime: UInt32 = 20_000

    /// What may happen to a stored file behind the store's back.
    enum Harm: CaseIterable, Sendable {
        case flipped, flippedWithItsTimePutBack, truncated, lengthened, replacedWithItsTime, madeADirectory, madeALink
        case emptied

        func befall(_ path: String) throws {
            let status = try #require(try File.status(of: path))
            usleep(MarkTests.sometime)
            switch self {
            case .flipped: try Self.flip(path)
            case .flippedWithItsTimePutBack:
                try Self.flip(path)
                try FileDescriptor.open(path, .update).setModified(status.modifiedNanoseconds)
            case .truncated: try FileDescriptor.open(path, .update).truncate(to: status.size - 1)
            case .emptied: try FileDescriptor.open(path, .update).truncate(to: 0)
            case .lengthened: try FileDescriptor.open(path, .update).write([1], at: status.size)
            case .replacedWithItsTime:
                try write([UInt8](repeating: 9, count: status.size), to: path + ".new")
                try FileDescriptor.open(path + ".new", .update).setModified(status.modifiedNanoseconds)
                try File.rename(path + ".new", to: path)
            case .madeADirectory:
                try File.remove(path)
                try Directory.make(path + "/with/more")
            case .madeALink:
                try File.rename(path, to: path + ".moved")
                try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path + ".moved")
            }
        }

        private static func flip(_ path: String) throws {
            let file = try FileDescriptor.open(path, .update)
            try file.write([file.read(1, at: 100)[0] ^ 1], at: 100)
        }

        var isShort: Bool { self == .truncated || self == .emptied }
        var isNoFile: Bool { self == .madeADirectory || self == .madeALink }
    }

    @Test(
        "what has landed opens, and what happens to it later is noticed",
        arguments: Harm.allCases,
        ContentKind.allCases
    )
    func harmed(harm: Harm, kind: ContentKind) async throws {
        let digest = try await land(kind)
        #expect(try contents(store.open(digest, kind)) == bytes)
        try harm.befall(store.layout.path(of: digest, kind))
        #expect(throws: StoreError.doubtful) { _ = try store.open(digest, kind) }
        guard case .bad(let verdict) = try await store.confirm(digest, kind, size: bytes.count) else {
            Issue.record("\(harm) is taken for right")
            return
        }
        switch verdict {
        case .short: #expect(harm.isShort)
        case .unreadable: #expect(harm.isNoFile)
        default: #expect(verdict == .damaged && !harm.isShort && !harm.isNoFile)
        }
        #expect(throws: StoreError.doubtful) { _ = try store.open(digest, kind) }
        // Whatever has the name makes way for the content.
        #expect(try await store.quarantine(digest, kind))
        #expect(try store.open(digest, kind) == nil)
        _ = try await land(kind)
        #expect(try contents(store.open(digest, kind)) == bytes)
    }

    @Test("an open file knows of what happens to it", arguments: Harm.allCases)
    func harmedWhileOpen(harm: Harm) async throws {
        let digest = try await land(.blob)
        let file = try #require(try store.open(digest, .blob))
        #expect(file.isUntouched)
        try harm.befall(store.layout.path(of: digest, .blob))
        #expect(!file.isUntouched)
    }

    /// What may happen to a file without changing its content.
    enum Touch: CaseIterable, Sendable {
        case copied, copiedWithItsTime, changedMode, rewritten, neverMarked
    }

    @Test("what is right all the same is hashed once, and opens from then on", arguments: Touch.allCases)
    func touched(touch: Touch) async throws {
        let digest = try await land(.blob)
        let path = store.layout.path(of: digest, .blob)
        let modified = try #require(try File.status(of: path)).modifiedNanoseconds
        usleep(Self.sometime)
        switch touch {
        case .copied, .copiedWithItsTime:
            try write(bytes, to: path + ".new")
            if touch == .copiedWithItsTime { try FileDescriptor.open(path + ".new", .update).setModified(modified) }
            try File.rename(path + ".new", to: path)
        case .changedMode: try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        case .rewritten: try FileDescriptor.open(path, .update).write(Array(bytes[..<10]), at: 0)
        case .neverMarked: try FileDescriptor.open(path, .update).setModified(WallClock.nanoseconds)
        }
        #expect(throws: StoreError.doubtful) { _ = try store.open(digest, .blob) }
        #expect(try await store.stored(.blob, from: .start).contents.map(\.isDoubtful) == [true])
        do {
            guard case .intact(let file) = try await store.confirm(digest, .blob, size: nil) else {
                Issue.record("not found right")
                return
            }
            #expect(try contents(file) == bytes)
            // Whoever waited for it reads it now.
            #expect(store.isLeased(digest, .blob))
        }
        #expect(!store.isLeased(digest, .blob))
        #expect(try contents(store.open(digest, .blob)) == bytes)
        #expect(try await store.stored(.blob, from: .start).contents.map(\.isDoubtful) == [false])
    }

    @Test("verifying marks what is right")
    func verified() async throws {
        let digest = try await land(.blob)
        try FileDescriptor.open(store.layout.path(of: digest, .blob), .update).setModified(1)
        #expect(throws: StoreError.doubtful) { _ = try store.open(digest, .blob) }
        #expect(try await store.check(digest, .blob, size: bytes.count, pace: nil) == .intact)
        #expect(try store.open(digest, .blob) != nil)
    }

    @Test("a mark outlives the process, and what is missing is missing")
    func nextProcess() async throws {
        let digest = try await land(.manifest)
        let next = try DiskBlobStore(root: directory.path, logger: Logger(label: "test"))
        #expect(try contents(next.open(digest, .manifest)) == bytes)
        try File.remove(next.layout.path(of: digest, .manifest))
        guard case .bad(.missing) = try await next.confirm(digest, .manifest, size: 3000) else {
            Issue.record("it is there")
            return
        }
        #expect(directory.files(under: "spool").isEmpty)
    }

    @Test("times before 1970 are times too", arguments: [0, 1, -1, 1_500_000_000, -1_500_000_000] as [Int64])
    func times(nanoseconds: Int64) throws {
        let file = try FileDescriptor.open(directory.path("file"), .createNew)
        try file.setModified(nanoseconds)
        #expect(try file.status().modifiedNanoseconds == nanoseconds)
    }

    private func land(_ kind: ContentKind) async throws -> Digest {
        let digest = store.digest(of: bytes, .sha256)
        if kind == .manifest {
            try await store.store(bytes, as: digest, .manifest)
            return digest
        }
        let spool = try store.spool(for: digest)
        try spool.append(bytes)
        try #require(spool.verify())
        try await spool.land()
        return digest
    }
}

extension FileDescriptor {
    fileprivate borrowing func write(_ bytes: [UInt8], at offset: Int) throws(SystemCallError) {
        try write(bytes.span, at: offset)
    }
}
