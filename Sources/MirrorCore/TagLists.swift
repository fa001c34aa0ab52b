import Logging
import OCI

/// Tag lists: fetched whole, kept for `tag_ttl`, served stale in an outage. DESIGN rule 16a.
extension PullThrough {
    package func tags(in repository: Repository, for caller: Caller) async throws(MirrorError) -> TagsAnswer {
        let inquiry = try inquire(of: repository, for: caller)
        let known = index.list(.tags, in: repository)
        if let known, let outcome = withoutWaiting(known, inquiry, refresh: { _ = listing(inquiry.inBackground) }) {
            return TagsAnswer(tags: Self.tags(in: known), outcome: outcome)
        }
        try recall(.tagList, in: repository)
        guard let work = listing(inquiry) else { throw .shuttingDown }
        let answer = await work.promise.value(until: patience(for: known, inquiry))
        if case .success(let tags) = answer {
            return TagsAnswer(tags: tags, outcome: known == nil || work.isJoined ? work.outcome : .revalidated)
        }
        let failure = answer?.failure
        let reason = failure.map { StaleReason($0) } ?? .timeout
        guard let (stale, outcome) = fallback(known, reason, inquiry) else {
            throw failure.map { MirrorError($0, missing: .repositoryUnknown) } ?? .tooSlow
        }
        return TagsAnswer(tags: Self.tags(in: stale), outcome: outcome)
    }

    /// All tags as upstream lists them now, or did within `tag_ttl`; never a stale list.
    func currentTags(in repository: Repository, for caller: Caller) async throws(MirrorError) -> [String] {
        let inquiry = try inquire(of: repository, for: caller)
        if let known = index.list(.tags, in: repository), let age = known.checkedAt.age(at: time.wall()),
            age < inquiry.policy.tagTTL
        {
            return Self.tags(in: known)
        }
        try recall(.tagList, in: repository)
        guard let work = listing(inquiry) else { throw .shuttingDown }
        switch await work.promise.value(until: inquiry.deadline) {
        case .success(let tags): return tags
        case .failure(let error): throw MirrorError(error, missing: .repositoryUnknown)
        case nil: throw Task.isCancelled ? .shuttingDown : .tooSlow
        }
    }

    /// Joins the question for a repository's tags, or starts it; `nil` when shutting down.
    private func listing(_ inquiry: Inquiry) -> WorkTable<Repository, Result<[String], UpstreamError>>.Work? {
        let repository = inquiry.repository
        return tagLists.work(on: repository, for: inquiry.caller) { [self] errand, deliver in
            do throws(UpstreamError) {
                let told = try await ask(inquiry, .free) { upstream async throws(UpstreamError) in
                    try await upstream.tags(in: repository.name, for: errand)
                }
                let tags = Self.inOrder(told)
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
