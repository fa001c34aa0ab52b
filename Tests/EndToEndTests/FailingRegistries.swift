import MirrorTesting
import NIOHTTP1

/// The registries of the degradation matrix: one that fails as it is told to, and some that cannot but fail.
struct FailingRegistries: Sendable {
    static let account = HubAccount(user: "alice", password: "n0t-for-l0gs")

    /// Plays the failures that reach a registry.
    let hub: ScriptedHub
    /// What waits here waits until the end.
    private let hold = Barrier()
    private let untrusted: UntrustedServer
    private let withoutTokens: ScriptedHub
    /// Does not know the account.
    private let stranger: ScriptedHub
    /// Where nobody listens.
    private let deadPort: Int

    static func start() async throws -> FailingRegistries {
        let hub = try await ScriptedHub.start()
        hub.addAccount(account)
        let withoutTokens = try await ScriptedHub.start()
        await withoutTokens.stop([.tokens])
        return try await FailingRegistries(
            hub: hub,
            untrusted: .start(),
            withoutTokens: withoutTokens,
            stranger: .start(),
            deadPort: FreePort.find()
        )
    }

    private init(
        hub: ScriptedHub,
        untrusted: UntrustedServer,
        withoutTokens: ScriptedHub,
        stranger: ScriptedHub,
        deadPort: Int
    ) {
        self.hub = hub
        self.untrusted = untrusted
        self.withoutTokens = withoutTokens
        self.stranger = stranger
        self.deadPort = deadPort
    }

    func stop() async {
        hold.open()
        await untrusted.stop()
        for hub in [hub, withoutTokens, stranger] { await hub.stop() }
    }

    /// The endpoint at which an upstream fails so.
    func endpoint(_ failure: DegradationMatrix.Failure) -> String {
        switch failure {
        case .dns: "http://nonexistent.invalid:1"
        case .refused: "http://127.0.0.1:\(deadPort)"
        case .tls: "https://127.0.0.1:\(untrusted.port)"
        case .tokenServer: withoutTokens.endpoint
        case .credentials: stranger.endpoint
        default: hub.endpoint
        }
    }

    /// Lets the Hub fail for a cell, and moves the tags that are to be stale.
    func breakDown(_ cell: DegradationMatrix.Cell, _ image: TestImage) {
        let repository = "cell/\(cell.name)"
        if cell.subject == .staleTag {
            let seed = UInt64(60_000 + (DegradationMatrix.cells.firstIndex(of: cell) ?? 0))
            hub.publish(.single(seed: seed, layers: [1000]), as: repository, tags: ["1"])
        }
        let all = RequestMatcher(role: .registry, repository: repository)
        let manifests = RequestMatcher(role: .registry, kind: .manifest, repository: repository)
        let reads = RequestMatcher(.GET, role: .registry, kind: .manifest, repository: repository)
        let transfers = RequestMatcher(.GET, role: .cdn, reference: "\(image.largestBlob.digest)")
        switch cell.failure {
        case .dns, .refused, .tls, .tokenServer, .credentials: break
        case .timeout: hub.script(all, times: nil, .delay(until: hold))
        case .unauthorized: hub.setOwner(HubAccount(user: "bob", password: "s0mebody-else"), of: repository)
        case .forbidden: hub.script(all, times: nil, .refuse(.forbidden, "DENIED"))
        case .notFound:
            let code = cell.subject.isBlob ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN"
            hub.script(all, times: nil, .refuse(.notFound, code))
        case .pullLimit: hub.script(reads, times: nil, .pullLimit())
        case .pullLimitOnHeads: hub.script(manifests, times: nil, .pullLimit())
        case .abuseLimit: hub.script(all, times: nil, .abuseLimit())
        case .serverError: hub.script(all, times: nil, .respond(.serviceUnavailable, body: "<html>"))
        case .truncated:
            for bodies in [reads, transfers] { hub.script(bodies, times: nil, .cut(after: 100)) }
        case .wrongDigest:
            for bodies in [reads, transfers] { hub.script(bodies, times: nil, .corrupt(at: 50)) }
        }
    }
}
