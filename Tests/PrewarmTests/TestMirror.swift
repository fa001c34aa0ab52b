import Locking
import MirrorCore
import MirrorTesting
import OCI

/// A mirror and its registry in memory, which notes what it is asked.
final class TestMirror: WarmMirror {
    struct State {
        var tags: [Repository: [String: Digest]] = [:]
        var manifests: [Digest: ManifestContent] = [:]
        var blobs: [Digest: Content] = [:]
        var referrers: [Digest: [ManifestContent]] = [:]
        /// What is held, of both kinds.
        var held: Set<Digest> = []
        var received: [Digest: Int] = [:]
        /// What the next questions fail with, by question.
        var failures: [String: [MirrorError]] = [:]
        var remaining: Int?
        var log: [String] = []
        /// Called for each blob before it is stored.
        var onBlob: (@Sendable (Digest) async -> Void)?
    }

    let state = Locked(State())

    /// What was asked, in order: `look library/nginx:1`, `read sha256:…`, `blob sha256:…`, `tags …`, `referrers …`.
    var log: [String] { state.withLock { $0.log } }

    func count(_ kind: String) -> Int { log.count { $0.hasPrefix("\(kind) ") } }

    func isHeld(_ digest: Digest) -> Bool { state.withLock { $0.held.contains(digest) } }

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    static func repository(_ path: String, of registry: String = "docker.io") throws -> Repository {
        Repository(upstream: UpstreamName(registry), name: try RepositoryName(path))
    }

    /// Puts an image into the registry.
    func add(_ image: TestImage, _ path: String, tag: String, of registry: String = "docker.io") throws {
        let repository = try Self.repository(path, of: registry)
        change { state in
            state.tags[repository, default: [:]][tag] = image.digest
            for manifest in image.manifests { state.manifests[manifest.digest] = manifest }
            for blob in image.blobs { state.blobs[blob.digest] = blob }
        }
    }

    func add(_ referrer: TestImage, to subject: Digest) {
        change { state in
            state.referrers[subject, default: []].append(referrer.manifest)
            state.manifests[referrer.digest] = referrer.manifest
            for blob in referrer.blobs { state.blobs[blob.digest] = blob }
        }
    }

    /// Puts all of an image into the cache.
    func hold(_ image: TestImage) {
        change { state in
            state.held.formUnion(image.manifests.map(\.digest))
            state.held.formUnion(image.blobs.map(\.digest))
        }
    }

    private func enter(_ question: String) throws(MirrorError) {
        let failure: MirrorError? = state.withLock { state in
            state.log.append(question)
            guard state.failures[question]?.isEmpty == false else { return nil }
            return state.failures[question]?.removeFirst()
        }
        if let failure { throw failure }
        if Task.isCancelled { throw .shuttingDown }
    }

    // MARK: - WarmMirror

    func repository(_ path: String, of registry: String) async throws(MirrorError) -> Repository {
        guard registry != "unknown.example" else { throw .upstreamUnknown(registry) }
        guard let repository = try? Self.repository(path, of: registry) else { throw .repositoryUnknown }
        return repository
    }

    func tags(in repository: Repository) async throws(MirrorError) -> [String] {
        try enter("tags \(repository.name)")
        return state.withLock { $0.tags[repository]?.keys.sorted() ?? [] }
    }

    func look(up tag: OCI.Tag, in repository: Repository, isImmutable: Bool) async throws(MirrorError) -> WarmTag {
        try enter("look \(repository.name):\(tag)\(isImmutable ? " immutable" : "")")
        let manifest = state.withLock { state in
            state.tags[repository]?[tag.text].flatMap { state.manifests[$0] }
        }
        guard let manifest else { throw .manifestUnknown }
        return WarmTag(digest: manifest.digest, mediaType: manifest.mediaType, size: manifest.content.count)
    }

    func heldManifest(_ digest: Digest, in repository: Repository) async throws(MirrorError) -> HeldManifest? {
        let manifest = state.withLock { $0.held.contains(digest) ? $0.manifests[digest] : nil }
        return manifest.map { HeldManifest(bytes: $0.content.bytes, isProved: true) }
    }

    func manifest(
        _ digest: Digest,
        in repository: Repository,
        keeping reserve: Int?
    ) async throws(MirrorError) -> WarmManifest {
        try enter("read \(digest)")
        let (manifest, isRefused) = state.withLock { state in
            let isRefused = state.remaining.map { $0 <= reserve ?? 0 } ?? false
            if !isRefused, let remaining = state.remaining { state.remaining = remaining - 1 }
            if !isRefused { state.held.insert(digest) }
            return (state.manifests[digest], isRefused)
        }
        if isRefused { throw .limited(.reserve, retryAfter: .seconds(600)) }
        guard let manifest else { throw .manifestUnknown }
        return WarmManifest(bytes: manifest.content.bytes, wasRead: true)
    }

    func holdings(of blobs: [Digest], in repository: Repository) async throws(MirrorError) -> [BlobHolding] {
        state.withLock { state in
            blobs.map { state.held.contains($0) ? .held : .missing(received: state.received[$0] ?? 0) }
        }
    }

    func warm(
        _ blob: Digest,
        in repository: Repository,
        progress: @escaping @Sendable (Int) -> Void
    ) async throws(MirrorError) {
        try enter("blob \(blob)")
        await state.withLock { $0.onBlob }?(blob)
        if Task.isCancelled { throw .shuttingDown }
        guard let content = state.withLock({ $0.blobs[blob] }) else { throw .blobUnknown }
        progress(content.count / 2)
        change { $0.held.insert(blob) }
    }

    func referrers(of digest: Digest, in repository: Repository) async throws(MirrorError) -> [UInt8] {
        try enter("referrers \(digest)")
        let entries = state.withLock { $0.referrers[digest] ?? [] }
            .map { manifest in
                #"{"mediaType":"\#(manifest.mediaType)","digest":"\#(manifest.digest)","#
                    + #""size":\#(manifest.content.count),"artifactType":"\#(manifest.artifactType ?? "")"}"#
            }
        return Array(#"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#.utf8)
    }

    func quota(of upstream: UpstreamName) async -> WarmQuota {
        WarmQuota(limit: 100, remaining: state.withLock { $0.remaining }, reserve: 10)
    }
}
