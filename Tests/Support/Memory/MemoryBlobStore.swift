import Hashing
import Locking
import MirrorCore
import OCI

/// A `BlobStore` whose names are in a dictionary, for tests of what stands above it.
///
/// The bytes are in unlinked temporary files, because readers want descriptors.
package final class MemoryBlobStore: BlobStore {
    struct Name: Hashable {
        var digest: Digest
        var kind: ContentKind
    }

    /// What is left of a blob.
    struct Remains {
        var file: MemoryFile
        var length: Int?
    }

    struct State {
        var files: [Name: MemoryFile] = [:]
        var unfinished: [Digest: Remains] = [:]
        var leases: [Name: Int] = [:]
        var quarantined: [Name] = []
        var unreadable: Set<Name> = []
        var doubtful: Set<Name> = []
        var space = StoreSpace(free: 1 << 40, total: 1 << 40)
        var openSpools = 0
        var spoolsMade = 0
        var spoolFailure: StoreError?
        var appendLimit = Int.max
        var appendFailure = StoreError.full
        var landFailure: StoreError?
        var storeFailure: StoreError?
        var openFailure: StoreError?
    }

    let state = Locked(State())

    package init() {}

    /// How many spools are neither landed, kept nor discarded: none, when all flights have ended.
    package var openSpools: Int { state.withLock { $0.openSpools } }

    /// How many spools were ever made.
    package var spoolsMade: Int { state.withLock { $0.spoolsMade } }

    /// From now on no spool can be made; `nil` ends it.
    package func failSpools(with error: StoreError?) {
        state.withLock { $0.spoolFailure = error }
    }

    /// From now on a spool takes `count` bytes and then fails.
    package func failAppends(after count: Int, with error: StoreError = .full) {
        state.withLock {
            $0.appendLimit = count
            $0.appendFailure = error
        }
    }

    /// From now on landing fails; `nil` ends it.
    package func failLanding(with error: StoreError?) {
        state.withLock { $0.landFailure = error }
    }

    /// From now on `store` fails; `nil` ends it.
    package func failStoring(with error: StoreError?) {
        state.withLock { $0.storeFailure = error }
    }

    /// From now on nothing can be opened; `nil` ends it.
    package func failOpening(with error: StoreError?) {
        state.withLock { $0.openFailure = error }
    }

    /// Takes content away, as eviction, damage or a careless administrator would.
    package func remove(_ digest: Digest, _ kind: ContentKind) {
        let name = Name(digest: digest, kind: kind)
        state.withLock { state in
            state.files[name] = nil
            state.doubtful.remove(name)
        }
    }

    /// Puts other bytes under a name, as a disk that rots would.
    ///
    /// A store can tell that somebody has touched a file, but not what a disk does: `isNoticed` is which of the two it is.
    package func damage(_ digest: Digest, _ kind: ContentKind, to bytes: [UInt8], isNoticed: Bool = true) {
        let file = MemoryFile(bytes)
        let name = Name(digest: digest, kind: kind)
        state.withLock { state in
            state.files[name] = file
            if isNoticed { state.doubtful.insert(name) }
        }
    }

    /// Makes content doubtful that is right, as copying the directory would.
    package func touch(_ digest: Digest, _ kind: ContentKind) {
        state.withLock { _ = $0.doubtful.insert(Name(digest: digest, kind: kind)) }
    }

    /// Whether content has to be hashed before it can be opened.
    package func isDoubtful(_ digest: Digest, _ kind: ContentKind) -> Bool {
        state.withLock { $0.doubtful.contains(Name(digest: digest, kind: kind)) }
    }

    /// From now on that content cannot be opened, and `check` finds it unreadable.
    package func makeUnreadable(_ digest: Digest, _ kind: ContentKind) {
        let name = Name(digest: digest, kind: kind)
        state.withLock { state in
            state.unreadable.insert(name)
            state.doubtful.insert(name)
        }
    }

    /// Leaves the beginning of a blob, as a process that was killed would.
    package func leave(_ bytes: [UInt8], of digest: Digest, expectedLength: Int? = nil) {
        let remains = Remains(file: MemoryFile(bytes), length: expectedLength)
        state.withLock { $0.unfinished[digest] = remains }
    }

    /// From now on this is the room on the device.
    package func setSpace(_ space: StoreSpace) {
        state.withLock { $0.space = space }
    }

    /// What was put aside, in order.
    package var quarantined: [Digest] { state.withLock { $0.quarantined.map(\.digest) } }

    /// What is stored under a name.
    package func bytes(of digest: Digest, _ kind: ContentKind) -> [UInt8]? {
        state.withLock { $0.files[Name(digest: digest, kind: kind)] }?.bytes
    }

    package func open(_ digest: Digest, _ kind: ContentKind) throws(StoreError) -> (any StoredFile)? {
        if let failure = state.withLock({ $0.openFailure }) { throw failure }
        let name = Name(digest: digest, kind: kind)
        guard !isDoubtful(digest, kind) else { throw .doubtful }
        return leased(name)
    }

    func leased(_ name: Name) -> LeasedMemoryFile? {
        let found = state.withLock { state -> MemoryFile? in
            guard let file = state.files[name] else { return nil }
            state.leases[name, default: 0] += 1
            return file
        }
        return found.map { LeasedMemoryFile($0, name, in: self) }
    }

    package func contents(of file: any StoredFile) async throws(StoreError) -> [UInt8] {
        switch file {
        case let file as LeasedMemoryFile: return file.contents.bytes
        case let file as MemoryFile: return file.bytes
        default: throw .failed(call: "contents", errno: 9)
        }
    }

    package func spool(for digest: Digest) throws(StoreError) -> any Spool {
        let failure = state.withLock { state -> StoreError? in
            guard state.spoolFailure == nil else { return state.spoolFailure }
            state.openSpools += 1
            state.spoolsMade += 1
            return nil
        }
        if let failure { throw failure }
        return MemorySpool(for: digest, in: self)
    }

    package func verifier(of digest: Digest) -> any BlobVerifier { MemoryVerifier(of: digest, in: self) }

    package func store(_ bytes: [UInt8], as digest: Digest, _ kind: ContentKind) async throws(StoreError) {
        if let failure = state.withLock({ $0.storeFailure }) { throw failure }
        put(MemoryFile(bytes), Name(digest: digest, kind: kind))
    }

    /// Lands a file.
    func put(_ file: MemoryFile, _ name: Name) {
        state.withLock { state in
            state.files[name] = file
            state.doubtful.remove(name)
            state.unreadable.remove(name)
        }
    }

    package func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest {
        Digest(algorithm: algorithm, bytes: ContentHasher.hash(bytes.span, HashAlgorithm(algorithm)).span)!
    }
}

extension HashAlgorithm {
    package init(_ algorithm: Digest.Algorithm) {
        switch algorithm {
        case .sha256: self = .sha256
        case .sha512: self = .sha512
        }
    }
}
