import Foundation
import Locking
import MirrorCore
import OCI

/// A core that answers from a script, and notes what it was asked.
final class FakeRegistry: Registry {
    struct Script {
        var cachedManifests: [String: Manifest] = [:]
        var manifests: [String: Result<ManifestAnswer, MirrorError>] = [:]
        var cachedBlobs: [Digest: any StoredFile] = [:]
        var blobs: [Digest: Result<BlobAnswer, MirrorError>] = [:]
        var lengths: [Digest: Result<BlobLength, MirrorError>] = [:]
        var tags: Result<TagsAnswer, MirrorError> = .failure(.repositoryUnknown)
        var referrers: Result<ReferrersDocument, MirrorError> = .failure(.repositoryUnknown)
        /// Awaited before any asynchronous answer.
        var gate: Gate?
        var calls: [String] = []
        var revision = 1
        /// Called where a stored blob is looked for: on the event loop.
        var whenLookedFor: (@Sendable () -> Void)?
        /// How long hits of manifests may be kept by the edge.
        var lifetime = Duration.zero
    }

    struct Manifest {
        var head: ManifestHead
        var content: Content

        enum Content {
            case bytes([UInt8])
            case file(any StoredFile)
            case absent
        }
    }

    let script = Locked(Script())

    var revision: Int { script.withLock { $0.revision } }

    func lifetime(of reference: Reference, in repository: Repository) -> Duration {
        script.withLock { $0.lifetime }
    }

    var calls: [String] { script.withLock { $0.calls } }

    func resolve(path: String, prefix: String?, namespace: String?) throws(MirrorError) -> Repository {
        var path = path
        if let namespace, !["docker.io", "registry-1.docker.io"].contains(namespace) {
            throw .upstreamUnknown("add \(namespace) to upstreams")
        }
        if path.hasPrefix("docker.io/") { path.removeFirst("docker.io/".count) }
        guard let name = try? RepositoryName(path) else { throw .repositoryUnknown }
        return Repository(upstream: .dockerHub, name: name)
    }

    func cachedManifest<Result>(
        _ reference: Reference,
        in repository: Repository,
        for caller: Caller,
        _ body: (ManifestHead, borrowing CachedContent) -> Result
    ) -> Result? {
        note("cachedManifest \(repository.name) \(reference)")
        guard let manifest = script.withLock({ $0.cachedManifests[reference.description] }) else { return nil }
        switch manifest.content {
        case .bytes(let bytes): return body(manifest.head, .bytes(bytes.span))
        case .file(let file): return body(manifest.head, .file(file))
        case .absent: return body(manifest.head, .absent)
        }
    }

    func manifest(
        _ reference: Reference,
        in repository: Repository,
        headOnly: Bool,
        for caller: Caller
    ) async throws(MirrorError) -> ManifestAnswer {
        note("manifest \(repository.name) \(reference)")
        await pass()
        return try script.withLock { $0.manifests[reference.description] ?? .failure(.manifestUnknown) }.get()
    }

    func cachedBlob(_ digest: Digest, in repository: Repository, for caller: Caller) -> (any StoredFile)? {
        note("cachedBlob \(repository.name) \(digest)")
        script.withLock { $0.whenLookedFor }?()
        return script.withLock { $0.cachedBlobs[digest] }
    }

    func blob(_ digest: Digest, in repository: Repository, for caller: Caller) async throws(MirrorError) -> BlobAnswer {
        note("blob \(repository.name) \(digest)")
        await pass()
        return try script.withLock { $0.blobs[digest] ?? .failure(.blobUnknown) }.get()
    }

    func blobLength(
        _ digest: Digest,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> BlobLength {
        note("blobLength \(repository.name) \(digest)")
        await pass()
        return try script.withLock { $0.lengths[digest] ?? .failure(.blobUnknown) }.get()
    }

    func tags(in repository: Repository, for caller: Caller) async throws(MirrorError) -> TagsAnswer {
        note("tags \(repository.name)")
        return try script.withLock { $0.tags }.get()
    }

    func referrers(
        of digest: Digest,
        artifactType: String?,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> ReferrersDocument {
        note("referrers \(repository.name) \(digest) \(artifactType ?? "-")")
        return try script.withLock { $0.referrers }.get()
    }

    private func note(_ call: String) {
        script.withLock { $0.calls.append(call) }
    }

    private func pass() async {
        let gate = script.withLock { $0.gate }
        await gate?.pass()
    }
}

/// Holds tasks until it is opened.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var arrivals: [CheckedContinuation<Void, Never>] = []
        var arrived = 0
    }

    private let state = Locked(State())

    func pass() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let (ready, arrivals) = state.withLock { state in
                state.arrived += 1
                defer { state.arrivals = [] }
                if state.isOpen { return ([continuation], state.arrivals) }
                state.waiting.append(continuation)
                return ([], state.arrivals)
            }
            for continuation in ready + arrivals { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits until a task has come to the gate.
    func arrival() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isThere = state.withLock { state in
                if state.arrived == 0 { state.arrivals.append(continuation) }
                return state.arrived > 0
            }
            if isThere { continuation.resume() }
        }
    }
}

/// A real file in the temporary directory, removed with the object.
final class TemporaryFile: StoredFile {
    let descriptor: Int32
    private let path: String
    private let firstSize: Int

    init(_ bytes: [UInt8]) throws {
        firstSize = bytes.count
        path = NSTemporaryDirectory() + "/tidepool-" + UUID().uuidString
        try Data(bytes).write(to: URL(filePath: path))
        descriptor = open(path, O_RDWR | O_CLOEXEC)
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    var size: Int {
        var status = stat()
        fstat(descriptor, &status)
        return Int(status.st_size)
    }

    var isUntouched: Bool { size == firstSize }

    func append(_ bytes: [UInt8], at offset: Int) {
        _ = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset)) }
    }
}

/// A stored file that says it is longer than it is.
final class LyingFile: StoredFile {
    let size: Int
    private let file: TemporaryFile

    init(_ bytes: [UInt8], size: Int) throws {
        file = try TemporaryFile(bytes)
        self.size = size
    }

    var descriptor: Int32 { file.descriptor }
    var isUntouched: Bool { true }
}
