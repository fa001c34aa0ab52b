import MirrorCore
import OCI

/// An index that knows nothing and keeps nothing: for asking an upstream where there is no data directory to keep it in.
struct ForgetfulIndex: CacheIndex {
    func tag(_ tag: Tag, in repository: Repository) -> TagRecord? { nil }
    func membership(of digest: Digest, as kind: ContentKind, in repository: Repository) -> Membership? { nil }
    func withManifest<Result>(_ digest: Digest, _ body: (Int, Span<UInt8>?) -> Result) -> Result? { nil }
    func blobSize(_ digest: Digest) -> Int? { nil }
    func claimedSize(of digest: Digest) -> Int? { nil }
    func list(_ key: ListKey, in repository: Repository) -> ListRecord? { nil }
    func quotaRecords() -> [QuotaAccount: QuotaRecord] { [:] }
    func totals() -> StoredTotals { StoredTotals(manifests: 0, blobs: 0, blobBytes: 0) }
    func post(_ changes: [IndexChange]) {}
    func commit(_ changes: [IndexChange]) async throws(IndexError) {}
}
