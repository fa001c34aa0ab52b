import Logging
import OCI

/// Tag lists: fetched whole, kept for `tag_ttl`, served stale in an outage. DESIGN rule 16a.
extension PullThrough {
    package func tags(in repository: Repository, for caller: Caller) async throws(MirrorError) -> TagsAnswer {
        let inquiry = try inquire(of: repository, for: caller)
        let policy = inquiry.policy
        let known = index.list(.tags, in: repository)
        if let known, isFresh(known, policy) { return TagsAnswer(tags: Self.tags(in: known), outcome: .hit) }
        if known == nil { try recall(.tagList, in: repository) }

        let work = tagLists.work(on: repository, for: caller) { [self] errand, deliver in
            do throws(UpstreamError) {
                let tags = Self.inOrder(try await inquiry.upstream.tags(in: repository.name, for: errand))
                deliver(.success(tags))
                let record = ListRecord(bytes: Array(tags.joined(separator: "\n").utf8), checkedAt: time.wall())
                await self.record([.list(.tags, in: repository, record)])
            } catch {
                if error == .notFound || error == .denied {
                    remember(MirrorError(error, missing: .repositoryUnknown), of: .tagList, in: repository)
                }
                deliver(.failure(error))
            }
        }
        guard let work else { throw .shuttingDown }
        let patience = patience(for: known, policy)
        let answer = await work.promise.value(until: time.deadline(in: patience))
        if case .success(let tags) = answer {
            return TagsAnswer(tags: tags, outcome: known == nil || work.isJoined ? work.outcome : .revalidated)
        }
        guard let (stale, outcome) = fallback(known, after: answer?.failure, in: repository, policy) else {
            throw answer?.failure.map { MirrorError($0, missing: .repositoryUnknown) } ?? .tooSlow
        }
        return TagsAnswer(tags: Self.tags(in: stale), outcome: outcome)
    }

    func isFresh(_ list: ListRecord, _ policy: UpstreamPolicy) -> Bool {
        list.checkedAt.age(at: time.wall()).map { $0 < policy.tagTTL } ?? false
    }

    /// How long an answer is waited for: not long where a kept list can be served instead.
    func patience(for known: ListRecord?, _ policy: UpstreamPolicy) -> Duration {
        guard let age = known?.checkedAt.age(at: time.wall()), age < policy.staleIfError else {
            return policy.answerWithin
        }
        return min(policy.revalidateWithin, policy.answerWithin)
    }

    /// A kept list that may be served although upstream could not be asked.
    ///
    /// No failure means no answer in time.
    func fallback(
        _ known: ListRecord?,
        after failure: UpstreamError?,
        in repository: Repository,
        _ policy: UpstreamPolicy
    ) -> (ListRecord, CacheOutcome)? {
        guard let known, failure?.isOutage ?? true else { return nil }
        guard let age = known.checkedAt.age(at: time.wall()), age < policy.staleIfError else { return nil }
        let reason = failure?.label ?? "timeout"
        context.metrics.add(to: .staleServed, repository.upstream.text, reason)
        return (known, .stale(reason: reason, checkedAt: known.checkedAt))
    }

    private static func tags(in record: ListRecord) -> [String] {
        String(decoding: record.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// ASCII order, as the specification has it; without what is no tag.
    private static func inOrder(_ tags: [String]) -> [String] {
        Set(tags).filter { (try? Tag($0)) != nil }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

extension Result {
    var failure: Failure? {
        guard case .failure(let error) = self else { return nil }
        return error
    }
}
