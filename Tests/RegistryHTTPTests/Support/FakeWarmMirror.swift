import MirrorCore
import OCI

/// A mirror that brings every blob, and denies everything else.
struct FakeWarmMirror: WarmMirror {
    func repository(_ path: String, of registry: String) async throws(MirrorError) -> Repository {
        throw .upstreamUnknown(registry)
    }

    func tags(in repository: Repository) async throws(MirrorError) -> [String] { throw .denied }

    func look(up tag: OCI.Tag, in repository: Repository, isImmutable: Bool) async throws(MirrorError) -> WarmTag {
        throw .denied
    }

    func heldManifest(_ digest: Digest, in repository: Repository) async throws(MirrorError) -> HeldManifest? { nil }

    func manifest(
        _ digest: Digest,
        in repository: Repository,
        keeping reserve: Int?
    ) async throws(MirrorError) -> WarmManifest {
        throw .denied
    }

    func holdings(of blobs: [Digest], in repository: Repository) async throws(MirrorError) -> [BlobHolding] {
        blobs.map { _ in .missing(received: 0) }
    }

    func warm(
        _ blob: Digest,
        in repository: Repository,
        progress: @escaping @Sendable (Int) -> Void
    ) async throws(MirrorError) {
        progress(5)
        // The teller has its turn.
        try? await Task.sleep(for: .milliseconds(50))
    }

    func referrers(of digest: Digest, in repository: Repository) async throws(MirrorError) -> [UInt8] { throw .denied }

    func quota(of upstream: UpstreamName) async -> WarmQuota { WarmQuota() }
}
