import Locking
import OCI
import Testing

@testable import MirrorCore

@Suite("What is known of the quotas", .timeLimit(.minutes(1)))
struct QuotaSurveyTests {
    private let ledger = StatusLedger()
    private let hub = FakeUpstream()
    private let other = FakeUpstream(UpstreamName("ghcr.io"))
    private let clock = ManualClock()
    private let survey: QuotaSurvey

    init() {
        hub.add(tag: "latest", manifest: "{}")
        survey = QuotaSurvey(
            ledger: ledger,
            upstreams: [.dockerHub: hub, other.name: other],
            time: clock.timekeeper
        )
    }

    private func known(_ account: String = "anonymous", at time: Int64? = 1) -> QuotaStatus {
        var status = QuotaStatus(account: QuotaAccount(upstream: .dockerHub, account: account))
        status.limit = 100
        status.observedAt = time.map { WallTime(milliseconds: $0) }
        return status
    }

    @Test("every configured upstream is in it, known or not, and every account, in order")
    func all() async {
        let statuses = [known("zoe"), known("adam")]
        ledger.statuses.withLock { $0 = statuses }
        let quotas = await survey.quota(mayAsk: true)
        #expect(quotas.map(\.upstream.text) == ["docker.io", "docker.io", "ghcr.io"])
        #expect(quotas.map { $0.status?.account.account } == ["adam", "zoe", nil])
        #expect(hub.requests.isEmpty && other.requests.isEmpty)
    }

    @Test("where nothing is known, Docker Hub is asked by one HEAD, and nobody else is")
    func asks() async {
        let requests = [
            FakeUpstream.Request(kind: .headManifest, repository: "ratelimitpreview/test", reference: "latest")
        ]
        _ = await survey.quota(mayAsk: true)
        #expect(hub.requests == requests)
        #expect(other.requests.isEmpty)
    }

    @Test("what we spent without having been told a limit is no knowledge")
    func spentOnly() async {
        let status = known(at: nil)
        ledger.statuses.withLock { $0 = [status] }
        _ = await survey.quota(mayAsk: true)
        #expect(hub.count(.headManifest) == 1)
    }

    @Test("who may not ask does not")
    func mayNot() async {
        let quotas = await survey.quota(mayAsk: false)
        #expect(quotas.map(\.upstream.text) == ["docker.io", "ghcr.io"])
        #expect(hub.requests.isEmpty)
    }

    @Test("it is asked once a minute at most, and the reason of its silence is kept meanwhile")
    func once() async {
        hub.change { $0.outage[.headManifest] = .unavailable(.dns) }
        for _ in 0..<3 {
            let quotas = await survey.quota(mayAsk: true)
            #expect(quotas.map(\.problem) == ["dns", nil])
        }
        #expect(await survey.quota(mayAsk: false).first?.problem == "dns")
        #expect(hub.count(.headManifest) == 1)
        clock.advance(by: .seconds(61))
        hub.change { $0.outage = [:] }
        #expect(await survey.quota(mayAsk: true).first?.problem == nil)
        #expect(hub.count(.headManifest) == 2)
    }

    @Test("who comes while it is being asked waits for the same answer")
    func together() async {
        let gate = Gate()
        hub.change { $0.headGate = gate }
        async let first = survey.quota(mayAsk: true)
        await gate.reached()
        async let second = survey.quota(mayAsk: true)
        gate.open()
        #expect(await first == second)
        #expect(hub.count(.headManifest) == 1)
    }

    @Test("an answer that does not come is not waited for")
    func patience() async {
        let gate = Gate()
        hub.change { $0.headGate = gate }
        async let quotas = survey.quota(mayAsk: true)
        await gate.reached()
        while !clock.hasSleepers { await Task.yield() }
        clock.advance(by: QuotaSurvey.patience)
        #expect(await quotas.first?.problem == "timeout")
    }
}

/// Says what it is told to.
private final class StatusLedger: QuotaLedger {
    let statuses = Locked<[QuotaStatus]>([])

    func claim(
        for purpose: Purpose,
        on account: QuotaAccount,
        keeping reserve: Int?
    ) async throws(UpstreamError) -> QuotaClaim {
        QuotaClaim(id: 0, account: account, purpose: purpose)
    }

    func settle(_ claim: QuotaClaim, isSpent: Bool) {}
    func mark() -> QuotaMark { QuotaMark(count: 0) }
    func observe(_ observation: QuotaObservation, on account: QuotaAccount, since mark: QuotaMark) {}
    func pressure(on upstream: UpstreamName) -> QuotaPressure { .none }
    func status() -> [QuotaStatus] { statuses.withLock { $0 } }
}
