import Logging
import OCI

/// What looking after the cache needs of the mirror.
extension PullThrough {
    /// Whether content is on its way, in or out: its file may be there, and its record is not.
    func isUnderWay(_ digest: Digest, _ kind: ContentKind) -> Bool {
        switch kind {
        case .blob: flights.flight(for: digest) != nil || context.keeper.isLeaving(digest)
        case .manifest: manifestFetches.isUnderWay(digest)
        }
    }

    /// Fetches content through a repository, and returns whether it is stored now.
    ///
    /// A manifest may cost quota: that is counted as a refresh, and leaves the reserve to those who pull.
    func refetch(_ digest: Digest, _ kind: ContentKind, in repository: Repository) async -> Bool {
        let caller = Caller(address: "local", purpose: .refresh)
        do throws(MirrorError) {
            switch kind {
            case .manifest:
                _ = try await manifest(.digest(digest), in: repository, headOnly: false, for: caller)
                await manifestFetches.end(of: digest)
                return storedSize(of: digest) != nil
            case .blob:
                _ = try await blob(digest, in: repository, for: caller)
                await flights.end(of: digest)
                return index.blobSize(digest) != nil
            }
        } catch {
            context.logger.warning(
                "bad content could not be fetched again",
                metadata: ["digest": "\(digest)", "repository": "\(repository)", "error": "\(error.label)"]
            )
            return false
        }
    }
}
