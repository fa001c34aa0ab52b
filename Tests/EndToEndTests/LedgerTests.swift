import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("The ledger says what the Hub's own account says")
    struct LedgerTests {
        private static let alice = HubAccount(user: "alice", password: "pa55-n0t-f0r-l0gs")

        /// The two upstreams of these tests are the same Hub: one without a name, one with an account.
        private enum Who: String, CaseIterable {
            case anonymous = "docker.io"
            case alice = "account.test"

            var user: String? { self == .alice ? LedgerTests.alice.user : nil }
            /// Images are not shared: a manifest that one has is not read for the other.
            var namespace: String { self == .alice ? "alice" : "library" }
        }

        private enum Operation: CaseIterable {
            case pull, check, blob, tagList, byDigest, othersSpend, move
        }

        @Test("after a thousand operations of all kinds, other machines' reads, and crashes between them")
        func thousandOperations() async throws {
            let hub = try await start()
            var mirror = try await RestartingMirror(upstream: hub.endpoint, Self.options(hub))
            var random = SeededRandom(seed: 300)
            for round in 0..<4 {
                try await play(250, round, mirror.client, hub, &random)
                if round < 3 { try await crash(&mirror, hub, round) }
            }
            // What others have spent since is told by the next answer: a HEAD costs nothing.
            for who in Who.allCases {
                hub.publish(.single(seed: 399, layers: [100]), as: "\(who.namespace)/last", tags: ["1"])
                #expect(try await mirror.client.head(path(who, "last", "manifests/1")).status == 200)
            }
            let report = try await PrintedQuota.read(from: mirror.process)
            for who in Who.allCases {
                let account = try report.account(who.rawValue)
                let quota = try #require(hub.quota(of: who.user))
                print("\(who.rawValue): the Hub says \(quota), we say \(account)")
                try expectEqual(account, quota)
                #expect(account.account == who.user ?? "anonymous")
                #expect(account.source == who.user ?? "127.0.0.1")
                #expect(quota.reads > 50 && quota.spent > quota.reads)
            }
            try await mirror.end()
            #expect(SecretScan.leaks(of: hub.secrets, in: ["log": mirror.process.log]) == [])
            #expect(hub.complaints == [])
            await hub.stop()
        }

        @Test("a paid account shows no limit, and what is spent is counted all the same")
        func paid() async throws {
            try await Stage.run { hub, options in
                hub.addAccount(Self.alice, quota: nil)
                options.dockerHub += Self.login
            } _: { stage in
                for seed in 0..<3 as Range<UInt64> {
                    stage.hub.publish(.single(seed: 310 + seed, layers: [100]), as: "library/paid", tags: ["\(seed)"])
                    #expect(try await stage.client.get("/v2/library/paid/manifests/\(seed)").status == 200)
                }
                let account = try await PrintedQuota.read(from: stage.mirror).account("docker.io")
                #expect(account.account == "alice" && account.limit == nil && account.remaining == nil)
                #expect(account.spent["pull"] == 3)
                #expect(!stage.mirror.log.contains(Self.alice.user), "a user name in the log")
            }
        }

        @Test("a window that ends begins a new account, and a limit may change", arguments: RateLimitSpelling.allCases)
        func windowRolls(spelling: RateLimitSpelling) async throws {
            var options = HubOptions()
            options.quota = HubQuota(limit: 50, window: 7200)
            options.rateLimitSpelling = spelling
            try await Stage.run(hub: options) { stage in
                for seed in 0..<4 as Range<UInt64> {
                    stage.hub.publish(.single(seed: 320 + seed, layers: [100]), as: "library/app", tags: ["\(seed)"])
                }
                for tag in 0..<3 { _ = try await stage.client.get("/v2/library/app/manifests/\(tag)") }
                try expectEqual(try await PrintedQuota.read(from: stage.mirror).account("docker.io"), stage.hub.quota)

                stage.hub.advanceClock(by: .seconds(7200))
                _ = try await stage.client.get("/v2/library/app/manifests/3")
                #expect(stage.hub.quota?.reads == 1 && stage.hub.quota?.remaining == 49)
                try expectEqual(try await PrintedQuota.read(from: stage.mirror).account("docker.io"), stage.hub.quota)

                stage.hub.configure { $0.quota?.limit = 40 }
                stage.hub.publish(.single(seed: 329, layers: [100]), as: "library/app", tags: ["9"])
                _ = try await stage.client.head("/v2/library/app/manifests/9")
                try expectEqual(try await PrintedQuota.read(from: stage.mirror).account("docker.io"), stage.hub.quota)
            }
        }

        // MARK: - The operations

        private func play(
            _ count: Int,
            _ round: Int,
            _ client: TestClient,
            _ hub: ScriptedHub,
            _ random: inout SeededRandom
        ) async throws {
            let seeds = (0..<count).map { _ in random.next() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<6 {
                    group.addTask {
                        for (number, seed) in seeds.enumerated() where number % 6 == worker {
                            try await perform(SeededRandom(seed: seed), 1000 * round + number, client, hub)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        private func perform(
            _ seeded: SeededRandom,
            _ number: Int,
            _ client: TestClient,
            _ hub: ScriptedHub
        ) async throws {
            var random = seeded
            let who = Who.allCases.randomElement(using: &random) ?? .anonymous
            let app = Int.random(in: 0..<Self.apps, using: &random)
            let image = Self.image(who, app)
            switch Operation.allCases.randomElement(using: &random) ?? .pull {
            case .pull: try await expect(200, client.get(path(who, "app\(app)", "manifests/1")))
            case .check: try await expect(200, client.head(path(who, "app\(app)", "manifests/1")))
            case .blob: try await expect(200, client.get(path(who, "app\(app)", "blobs/\(image.largestBlob.digest)")))
            case .tagList: try await expect(200, client.get(path(who, "app\(app)", "tags/list")))
            case .byDigest: try await expect(200, client.get(path(who, "app\(app)", "manifests/\(image.digest)")))
            case .othersSpend: hub.spend(2, of: who.user)
            case .move:
                let image = TestImage.single(
                    seed: UInt64(500_000 + 2 * number) + (who == .alice ? 1 : 0),
                    layers: [100]
                )
                hub.publish(image, as: "\(who.namespace)/app\(app)", tags: ["1"])
            }
        }

        private func expect(_ status: Int, _ response: TestResponse) {
            #expect(response.status == status, "\(response)")
        }

        /// Kills the mirror while the Hub has a manifest read of ours in hand, which it has charged.
        private func crash(_ mirror: inout RestartingMirror, _ hub: ScriptedHub, _ round: Int) async throws {
            let repository = "library/crash\(round)"
            hub.publish(.single(seed: UInt64(390 + round), layers: [100]), as: repository, tags: ["1"])
            let barrier = Barrier()
            hub.script(RequestMatcher(.GET, kind: .manifest, repository: repository), .delay(until: barrier))
            _ = try await mirror.client.start("GET", "/v2/\(repository)/manifests/1")
            await barrier.arrivals(1)
            try await mirror.crash()
            barrier.open()
        }

        private func path(_ who: Who, _ name: String, _ rest: String) -> String {
            "/v2/\(who.rawValue)/\(who.namespace)/\(name)/\(rest)"
        }

        // MARK: - The stage

        private static let apps = 40
        private static let login = [
            "auth: basic", "credentials: { username: \(alice.user), password: \(alice.password) }",
        ]

        private static func image(_ who: Who, _ app: Int) -> TestImage {
            TestImage.single(seed: UInt64(400_000 + 2 * app + (who == .alice ? 1 : 0)), layers: [500])
        }

        private func start() async throws -> ScriptedHub {
            var options = HubOptions()
            options.quota = HubQuota(limit: 4000, window: 21_600)
            let hub = try await ScriptedHub.start(options)
            hub.addAccount(Self.alice, quota: HubQuota(limit: 6000, window: 3600))
            for who in Who.allCases {
                for app in 0..<Self.apps {
                    hub.publish(Self.image(who, app), as: "\(who.namespace)/app\(app)", tags: ["1"])
                }
            }
            return hub
        }

        private static func options(_ hub: ScriptedHub) -> TidepoolProcess.Options {
            var options = TidepoolProcess.Options()
            options.dockerHub = ["tag_ttl: 50ms", "timeouts: { revalidate_within: 20s }"]
            options.otherUpstreams = ["  account.test:", "    endpoint: \(hub.endpoint)", "    tag_ttl: 50ms"]
            options.otherUpstreams += login.map { "    \($0)" }
            options.otherUpstreams += ["    timeouts: { revalidate_within: 20s }"]
            return options
        }
    }
}
