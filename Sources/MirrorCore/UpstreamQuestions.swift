import OCI

/// Questions to upstreams whose answers are small: their outcomes are noted, and broken ones asked once more.
extension PullThrough {
    /// What a question costs.
    enum Price {
        /// A HEAD or a list.
        case free
        /// A manifest's GET.
        case read
    }

    /// Asks a repository's upstream; once more, a moment later, when the answer broke off or was a 5xx.
    ///
    /// Clients do as much at another registry. Never after a 429, and not where the upstream fails anyway or time is short.
    func ask<Answer>(
        _ inquiry: Inquiry,
        _ price: Price,
        _ question: (any Upstream) async throws(UpstreamError) -> Answer
    ) async throws(UpstreamError) -> Answer {
        do throws(UpstreamError) {
            return try await askOnce(inquiry, price, question)
        } catch {
            guard error.isWorthARetry, !inquiry.upstream.isFailing, inquiry.deadline.remaining > Self.roomForARetry
            else { throw error }
            await time.sleep(.milliseconds(Int.random(in: 50...150)))
            guard !Task.isCancelled else { throw .cancelled }
            return try await askOnce(inquiry, price, question)
        }
    }

    private static let roomForARetry = Duration.seconds(1)

    private func askOnce<Answer>(
        _ inquiry: Inquiry,
        _ price: Price,
        _ question: (any Upstream) async throws(UpstreamError) -> Answer
    ) async throws(UpstreamError) -> Answer {
        let name = inquiry.repository.upstream
        let askedAt = time.monotonic()
        do throws(UpstreamError) {
            let answer = try await question(inquiry.upstream)
            context.standings.answered(name, askedAt: askedAt)
            return answer
        } catch {
            context.standings.failed(error, name, isFree: price == .free, askedAt: askedAt)
            throw error
        }
    }

    /// How ready a repository's upstream is to be asked about what is kept, or for the manifest with a digest.
    func readiness(of repository: Repository, toRead digest: Digest? = nil) -> Readiness {
        let name = repository.upstream
        if context.upstreams[name]?.isFailing == true { return .held(.circuitOpen) }
        if let reason = context.standings.pause(of: name) { return .held(reason) }
        switch context.ledger.pressure(on: name) {
        case .none: return .ready
        case .scarce(let scarcity): return .scarce(scarcity)
        case .exhausted:
            // What a check finds can be read elsewhere, and the check itself is free.
            return context.contentSources.mayServe(repository, digest) ? .scarce(1) : .held(.pullLimit)
        }
    }
}

extension UpstreamError {
    fileprivate var isWorthARetry: Bool {
        switch self {
        case .unavailable(.truncated): true
        case .unavailable(.status(let code)): (500...599).contains(code)
        default: false
        }
    }
}
