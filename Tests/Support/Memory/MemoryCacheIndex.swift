import Locking
import MirrorCore
import OCI

/// A `CacheIndex` in dictionaries, for tests of what stands above it.
///
/// Changes are visible when `post` or `commit` returns.
package final class MemoryCacheIndex: CacheIndex {
    struct TagKey: Hashable {
        var repository: Repository
        var tag: OCI.Tag
    }

    struct MemberKey: Hashable {
        var repository: Repository
        var kind: ContentKind
        var digest: Digest
    }

    struct ListEntryKey: Hashable {
        var repository: Repository
        var key: ListKey
    }

    struct State {
        var tags: [TagKey: TagRecord] = [:]
        var members: [MemberKey: Membership] = [:]
        var manifests: [Digest: [UInt8]] = [:]
        var blobs: [Digest: Int] = [:]
        var quota: [QuotaAccount: QuotaRecord] = [:]
        var claims: [Digest: [Digest: Int]] = [:]
        var lists: [ListEntryKey: ListRecord] = [:]
        var uses: [ObjectKey: ObjectUse] = [:]
        var lastUse = 0
        var pins: [Pin] = []
        var bookmarks: [Bookmark: [UInt8]] = [:]
        var isRebuildPending = true
        var history: [IndexChange] = []
        var commitFailure: IndexError?
    }

    let state = Locked(State())
    private let largestManifestKept: Int

    /// Manifests above `largestManifestKept` bytes are recorded without their bytes, as the real index does.
    package init(largestManifestKept: Int = 32 << 10) {
        self.largestManifestKept = largestManifestKept
    }

    /// Every change that was taken, in order.
    package var history: [IndexChange] { state.withLock { $0.history } }

    package var revision: Int { state.withLock { $0.history.count } }

    /// From now on `commit` fails with this and changes nothing; `nil` ends it.
    package func failCommits(with error: IndexError?) {
        state.withLock { $0.commitFailure = error }
    }

    package func tag(_ tag: OCI.Tag, in repository: Repository) -> TagRecord? {
        state.withLock { $0.tags[TagKey(repository: repository, tag: tag)] }
    }

    package func membership(of digest: Digest, as kind: ContentKind, in repository: Repository) -> Membership? {
        state.withLock { $0.members[MemberKey(repository: repository, kind: kind, digest: digest)] }
    }

    package func withManifest<Result>(
        _ digest: Digest,
        _ body: (_ size: Int, _ bytes: Span<UInt8>?) -> Result
    ) -> Result? {
        guard let bytes = state.withLock({ $0.manifests[digest] }) else { return nil }
        return body(bytes.count, bytes.count <= largestManifestKept ? bytes.span : nil)
    }

    package func blobSize(_ digest: Digest) -> Int? {
        state.withLock { $0.blobs[digest] }
    }

    package func claimedSize(of digest: Digest) -> Int? {
        state.withLock { $0.claims[digest]?.first?.value }
    }

    package func claimedSize(of digest: Digest, in repository: Repository) -> Int? {
        state.withLock { state in
            state.claims[digest]?
                .first { parent, _ in
                    state.members[MemberKey(repository: repository, kind: .manifest, digest: parent)] != nil
                }?
                .value
        }
    }

    package func list(_ key: ListKey, in repository: Repository) -> ListRecord? {
        state.withLock { $0.lists[ListEntryKey(repository: repository, key: key)] }
    }

    package func totals() -> StoredTotals {
        state.withLock { state in
            StoredTotals(
                manifests: state.manifests.count,
                blobs: state.blobs.count,
                blobBytes: state.blobs.values.reduce(0, +),
                manifestBytes: state.manifests.values.reduce(0) { $0 + $1.count }
            )
        }
    }

    package func quotaRecords() -> [QuotaAccount: QuotaRecord] { state.withLock { $0.quota } }

    package func touch(_ digest: Digest, as kind: ContentKind) {
        state.withLock { $0.touch(ObjectKey(digest: digest, kind: kind)) }
    }

    package func post(_ changes: [IndexChange]) {
        state.withLock { state in
            for change in changes { Self.apply(change, to: &state) }
        }
    }

    package func commit(_ changes: [IndexChange]) async throws(IndexError) {
        if let failure = state.withLock({ $0.commitFailure }) { throw failure }
        post(changes)
    }

    private static func apply(_ change: IndexChange, to state: inout State) {
        state.history.append(change)
        switch change {
        case .tag(let tag, let repository, let record):
            state.tags[TagKey(repository: repository, tag: tag)] = record
        case .membership(let digest, let kind, let repository, let membership):
            state.members[MemberKey(repository: repository, kind: kind, digest: digest)] = membership
        case .manifest(let digest, let bytes, let references):
            state.manifests[digest] = bytes
            state.land(ObjectKey(digest: digest, kind: .manifest))
            for reference in references { state.claims[reference.digest, default: [:]][digest] = reference.size }
        case .blob(let digest, let size):
            state.blobs[digest] = size
            state.land(ObjectKey(digest: digest, kind: .blob))
        case .list(let key, let repository, let record):
            state.lists[ListEntryKey(repository: repository, key: key)] = record
        case .quota(let account, let record):
            if let stored = state.quota[account], stored.revision > record.revision { return }
            state.quota[account] = record
        case .lost(let digest, let kind), .evicted(let digest, let kind):
            state.remove(ObjectKey(digest: digest, kind: kind))
        case .tagRemoved(let tag, let repository):
            state.tags[TagKey(repository: repository, tag: tag)] = nil
        case .membershipRemoved(let digest, let kind, let repository):
            state.members[MemberKey(repository: repository, kind: kind, digest: digest)] = nil
        case .pinned(let reference, let repository, let since):
            state.pins.removeAll { $0.repository == repository && $0.reference == reference }
            state.pins.append(Pin(repository: repository, reference: reference, since: since))
        case .unpinned(let reference, let repository):
            state.pins.removeAll { $0.repository == repository && $0.reference == reference }
        case .bookmark(let bookmark, let bytes):
            state.bookmarks[bookmark] = bytes
        case .rebuilt:
            state.isRebuildPending = false
        }
    }
}
