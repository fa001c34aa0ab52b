package import OCI

/// Warms the cache of this process.
///
/// It asks as a client does, but in the background: behind those who pull, and leaving them the quota's reserve. Flights
/// and reads are shared with them.
package struct CacheWarmer: WarmMirror {
    let core: PullThrough

    /// How many times `answer_within` may pass while something is waited for; the work itself goes on meanwhile.
    static let mostDeadlines = 12

    package init(_ core: PullThrough) {
        self.core = core
    }

    func caller(keeping reserve: Int? = nil) -> Caller {
        Caller(address: "prewarm", purpose: .prewarm, reserve: reserve)
    }

    package func repository(_ path: String, of registry: String) async throws(MirrorError) -> Repository {
        try core.resolve(path: path, prefix: nil, namespace: registry)
    }

    package func tags(in repository: Repository) async throws(MirrorError) -> [String] {
        try await patiently { _ throws(MirrorError) in try await core.currentTags(in: repository, for: caller()) }
    }

    package func referrers(of digest: Digest, in repository: Repository) async throws(MirrorError) -> [UInt8] {
        try await patiently { _ throws(MirrorError) in
            try await core.referrers(of: digest, artifactType: nil, in: repository, for: caller()).bytes
        }
    }

    package func quota(of upstream: UpstreamName) async -> WarmQuota {
        let reserve = core.context.policies[upstream]?.reserve ?? 0
        let accounts = core.context.ledger.status().filter { $0.account.upstream == upstream }
        // The account in use is the one that was heard of last.
        guard let status = accounts.max(by: { ($0.observedAt ?? .distantPast) < ($1.observedAt ?? .distantPast) })
        else { return WarmQuota(reserve: reserve) }
        let resetsAt = status.spent.isEmpty && !status.isExhausted ? nil : status.resetsAt
        return WarmQuota(limit: status.limit, remaining: status.remaining, reserve: reserve, resetsAt: resetsAt)
    }

    /// Asks again when an answer has not come in time: nobody waits who has to be told so.
    func patiently<Value>(
        _ question: (_ isRepeated: Bool) async throws(MirrorError) -> Value
    ) async throws(MirrorError) -> Value {
        for count in 0..<Self.mostDeadlines - 1 {
            do throws(MirrorError) {
                return try await question(count > 0)
            } catch {
                if Task.isCancelled { throw .shuttingDown }
                guard error == .tooSlow else { throw error }
            }
        }
        return try await question(true)
    }
}

// MARK: - Tags and manifests

extension CacheWarmer {
    package func look(
        up tag: Tag,
        in repository: Repository,
        isImmutable: Bool
    ) async throws(MirrorError) -> WarmTag {
        let inquiry = try core.inquire(of: repository, for: caller())
        let known = core.index.tag(tag, in: repository)
        if let known, isCurrent(known, tag, inquiry.policy, isImmutable: isImmutable) { return WarmTag(known) }
        try core.recall(.tag(tag), in: repository)
        return try await patiently { _ throws(MirrorError) in
            let inquiry = try core.inquire(of: repository, for: caller())
            guard let work = core.check(tag, inquiry, known, isAfresh: true) else { throw .shuttingDown }
            switch await work.promise.value(until: inquiry.deadline) {
            case .success(let checked):
                // What it has proved is in the index when it has ended.
                await core.tagChecks.end(of: TagKey(repository: repository, tag: tag))
                return WarmTag(checked.record)
            case .failure(let error): throw MirrorError(error, missing: .manifestUnknown)
            case nil: throw Task.isCancelled ? .shuttingDown : .tooSlow
            }
        }
    }

    /// Whether a tag need not be asked about.
    ///
    /// Unlike for pulls `tag_ttl` is not stretched as quota runs out: a HEAD is free, and it is why this is being done.
    private func isCurrent(
        _ known: TagRecord,
        _ tag: Tag,
        _ policy: UpstreamPolicy,
        isImmutable: Bool
    ) -> Bool {
        guard !known.isGone else { return false }
        let neverMoves = isImmutable || policy.immutableTags.contains { $0.matches(tag.text) }
        if neverMoves, core.storedSize(of: known.digest) != nil { return true }
        return known.checkedAt.age(at: core.time.wall()).map { $0 < policy.tagTTL } ?? false
    }

    package func heldManifest(
        _ digest: Digest,
        in repository: Repository
    ) async throws(MirrorError) -> HeldManifest? {
        let inquiry = try core.inquire(of: repository, for: caller())
        guard let stored = try await core.stored(digest, inquiry) else { return nil }
        let isProved = core.index.membership(of: digest, as: .manifest, in: repository) != nil
        return HeldManifest(bytes: try await bytes(of: stored.content), isProved: isProved)
    }

    package func manifest(
        _ digest: Digest,
        in repository: Repository,
        keeping reserve: Int?
    ) async throws(MirrorError) -> WarmManifest {
        let caller = caller(keeping: reserve)
        return try await patiently { isRepeated throws(MirrorError) in
            let answer = try await core.manifest(.digest(digest), in: repository, headOnly: false, for: caller)
            // It is handed out before it is written down.
            await core.manifestFetches.end(of: digest)
            guard let content = answer.content else { throw .unavailable(reason: "storage", retryAfter: nil) }
            // What is there when it is asked for again was read for the first question.
            let wasRead = answer.head.outcome == .miss || isRepeated && answer.head.outcome == .hit
            return WarmManifest(bytes: try await bytes(of: content), wasRead: wasRead)
        }
    }

    private func bytes(of content: ManifestAnswer.Content) async throws(MirrorError) -> [UInt8] {
        switch content {
        case .bytes(let bytes): return bytes
        case .file(let file):
            do throws(StoreError) {
                return try await core.context.store.contents(of: file)
            } catch {
                throw MirrorError(storage: error)
            }
        }
    }
}

extension WarmTag {
    fileprivate init(_ record: TagRecord) {
        self.init(digest: record.digest, mediaType: record.mediaType, size: record.size)
    }
}

extension WallTime {
    fileprivate static let distantPast = WallTime(milliseconds: .min)
}
