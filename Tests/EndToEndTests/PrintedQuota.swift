import FoundationEssentials
import MirrorTesting
import Testing

/// What `tidepool quota --json` prints.
struct PrintedQuota: Decodable {
    struct Account: Decodable, Equatable {
        let upstream: String
        let account: String?
        let limit: Int?
        let remaining: Int?
        let windowSeconds: Int?
        let source: String?
        let spent: [String: Int]
        let state: String
        let resetsAt: String?
        let error: String?

        private enum CodingKeys: String, CodingKey {
            case upstream, account, limit, remaining, source, spent, state, error
            case windowSeconds = "window_seconds"
            case resetsAt = "resets_at"
        }
    }

    let upstreams: [Account]

    /// Asks the mirror that runs with the directory's settings.
    static func read(from mirror: TidepoolProcess) async throws -> PrintedQuota {
        try await read(with: mirror.directory.path("tidepool.yaml"))
    }

    /// Asks the mirror that runs with these settings, or the data directory when none runs.
    static func read(with settings: String) async throws -> PrintedQuota {
        let result = try await TidepoolProcess.run(["quota", "--json", "--config", settings])
        try #require(result.succeeded, "\(result)")
        return try PrintedQuota(json: result.output)
    }

    init(json: String) throws {
        self = try JSONDecoder().decode(PrintedQuota.self, from: Data(json.utf8))
    }

    func account(_ upstream: String) throws -> Account {
        try #require(upstreams.first { $0.upstream == upstream }, "nothing of \(upstream)")
    }
}

/// Compares an account of the ledger with the Hub's own.
func expectEqual(_ account: PrintedQuota.Account, _ quota: HubQuota?) throws {
    let quota = try #require(quota)
    #expect(account.limit == quota.limit)
    #expect(account.remaining == quota.remaining)
    #expect(account.windowSeconds == quota.window)
    #expect(account.spent["pull"] == quota.reads)
    #expect(account.spent["prewarm", default: 0] == 0 && account.spent["refresh", default: 0] == 0)
}
