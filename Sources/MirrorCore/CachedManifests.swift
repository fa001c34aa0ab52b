package import OCI

/// Manifests that may be served without asking upstream, on the event loop.
extension PullThrough {
    package func cachedManifest<Result>(
        _ reference: Reference,
        in repository: Repository,
        for caller: Caller,
        _ body: (ManifestHead, borrowing CachedContent) -> Result
    ) -> Result? {
        guard permits(repository, caller) else { return nil }
        switch reference {
        case .tag(let tag):
            return cachedTag(tag, in: repository, body)
        case .digest(let digest):
            let head = ManifestHead(digest: digest, mediaType: "", size: 0, outcome: .hit)
            return withStored(head, in: repository, body)
        }
    }

    package var revision: Int { index.revision }

    package func lifetime(of reference: Reference, in repository: Repository) -> Duration {
        guard case .tag(let tag) = reference else { return Self.longestLifetime }
        let policy = policy(of: repository)
        guard let record = index.tag(tag, in: repository), !record.isGone else { return .zero }
        if policy.immutableTags.contains(where: { $0.matches(tag.text) }) { return Self.longestLifetime }
        guard let age = record.checkedAt.age(at: time.wall()) else { return .zero }
        return min(max(policy.tagTTL - age, .zero), Self.longestLifetime)
    }

    /// So often at least its use is noted, and the settings are looked at.
    private static let longestLifetime = Duration.seconds(1)

    private func cachedTag<Result>(
        _ tag: Tag,
        in repository: Repository,
        _ body: (ManifestHead, borrowing CachedContent) -> Result
    ) -> Result? {
        let policy = policy(of: repository)
        guard let record = index.tag(tag, in: repository) else { return nil }
        switch revalidation(of: record, tag, in: repository, policy) {
        case .unneeded:
            let head = ManifestHead(record, .hit)
            if let answer = withStored(head, in: repository, body) { return answer }
            return obstacle(to: record, in: repository) == nil ? body(head, .absent) : nil
        case .due: return nil
        case .deferred(let reason):
            // The long way starts a check when one is due.
            guard !context.standings.isCheckDue(of: repository.upstream, reason),
                let kept = servable(record, tag, in: repository, policy)
            else { return nil }
            let outcome = CacheOutcome.stale(reason: reason.rawValue, checkedAt: kept.checkedAt)
            guard let answer = withStored(ManifestHead(kept, outcome), in: repository, body) else { return nil }
            context.metrics.add(to: .staleServed, repository.upstream.text, reason.rawValue)
            return answer
        }
    }

    /// Calls `body` with a stored manifest that the repository is proved to have.
    private func withStored<Result>(
        _ head: ManifestHead,
        in repository: Repository,
        _ body: (ManifestHead, borrowing CachedContent) -> Result
    ) -> Result? {
        guard let membership = index.membership(of: head.digest, as: .manifest, in: repository) else { return nil }
        var head = head
        head.mediaType = membership.mediaType
        let answer: Result?? = index.withManifest(head.digest) { size, bytes in
            head.size = size
            index.touch(head.digest, as: .manifest)
            if let bytes { return body(head, .bytes(bytes)) }
            return soundFile(head.digest, .manifest, size: size).map { body(head, .file($0)) }
        }
        return answer ?? nil
    }
}

extension ManifestHead {
    init(_ record: TagRecord, _ outcome: CacheOutcome) {
        self.init(digest: record.digest, mediaType: record.mediaType, size: record.size, outcome: outcome)
    }
}
