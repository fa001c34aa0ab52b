import Locking
import OCI

/// What the ledger knows, with every configured upstream in it.
///
/// Docker Hub tells its limits on the HEAD of any manifest, for nothing: where it has told nothing yet, one is made.
package final class QuotaSurvey: Administration {
    /// How long an answer is waited for.
    static let patience = Duration.seconds(5)
    /// How long after a question the next one may be asked.
    static let pause = Duration.seconds(60)

    private struct State {
        /// The last question, and its failure.
        var question: (askedAt: Duration, task: Task<UpstreamError?, Never>)?
        var failure: UpstreamError?
    }

    private let ledger: any QuotaLedger
    private let upstreams: [UpstreamName: any Upstream]
    private let time: Timekeeper
    private let state = Locked(State())

    package init(ledger: any QuotaLedger, upstreams: [UpstreamName: any Upstream], time: Timekeeper = .system()) {
        self.ledger = ledger
        self.upstreams = upstreams
        self.time = time
    }

    package func quota(mayAsk: Bool) async -> [UpstreamQuota] {
        if mayAsk, let dockerHub = upstreams[.dockerHub], !isKnown(.dockerHub) { await ask(dockerHub) }
        let failure = state.withLock { $0.failure }
        var quotas = ledger.status().map { UpstreamQuota(upstream: $0.account.upstream, status: $0) }
        let told = Set(quotas.map(\.upstream))
        quotas += upstreams.keys.filter { !told.contains($0) }.map { UpstreamQuota(upstream: $0) }
        for index in quotas.indices where quotas[index].upstream == .dockerHub {
            if quotas[index].status?.observedAt == nil { quotas[index].problem = failure?.label }
        }
        return quotas.sorted { ($0.upstream.text, $0.account) < ($1.upstream.text, $1.account) }
    }

    private func isKnown(_ upstream: UpstreamName) -> Bool {
        ledger.status().contains { $0.account.upstream == upstream && $0.observedAt != nil }
    }

    /// Asks, unless that was done a moment ago; whoever comes meanwhile waits for the same answer.
    private func ask(_ upstream: any Upstream) async {
        let now = time.monotonic()
        let task = state.withLock { state in
            if let question = state.question, now - question.askedAt < Self.pause { return question.task }
            let task = Task { [time] in await Self.question(upstream, time) }
            state.question = (now, task)
            return task
        }
        let failure = await task.value
        state.withLock { $0.failure = failure }
    }

    /// Asks about the repository that Docker keeps for this (PROTOCOL C3); what the answer tells, the adapter enters.
    private static func question(_ upstream: any Upstream, _ time: Timekeeper) async -> UpstreamError? {
        guard let repository = try? RepositoryName("ratelimitpreview/test"), let reference = try? Reference("latest")
        else { return nil }
        return await withTaskGroup(of: UpstreamError?.self) { group in
            group.addTask {
                do throws(UpstreamError) {
                    _ = try await upstream.headManifest(reference, in: repository, for: Errand(for: .operations))
                    return nil
                } catch {
                    return error
                }
            }
            group.addTask {
                await time.sleep(patience)
                return .unavailable(.timeout)
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}

extension Caller {
    /// Whoever looks after the mirror, on the mirror's own machine.
    fileprivate static let operations = Caller(address: "local")
}

extension UpstreamQuota {
    fileprivate var account: String { status?.account.account ?? "" }
}
