import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    /// The ledger is compared with the Hub's account; these say why that may be believed.
    @Suite("The harness itself: quota")
    struct HubQuotaTests {
        private static let path = "/v2/library/app/manifests/1"
        private static let alice = HubAccount(user: "alice", password: "p")

        @Test("users and the anonymous have accounts of their own, and paid ones no limit at all")
        func accounts() async throws {
            try await with { hub, client in
                let paid = HubAccount(user: "paid", password: "p")
                hub.addAccount(Self.alice, quota: HubQuota(limit: 7, window: 60))
                hub.addAccount(paid, quota: nil)
                let anonymous = try await client.get(Self.path, Self.headers(nil))
                #expect(anonymous.headers["ratelimit-remaining"] == ["99;w=3600"])
                #expect(anonymous.headers["docker-ratelimit-source"] == ["127.0.0.1"])
                let alice = try await client.get(Self.path, Self.headers(Self.alice))
                #expect(alice.headers["ratelimit-remaining"] == ["6;w=60"])
                #expect(alice.headers["docker-ratelimit-source"] == ["alice"])
                let unlimited = try await client.get(Self.path, Self.headers(paid))
                #expect(unlimited.status == 200 && !unlimited.headers.contains(name: "ratelimit-limit"))
                #expect(hub.quota?.reads == 1 && hub.quota(of: "alice")?.reads == 1 && hub.quota(of: "paid") == nil)
            }
        }

        @Test("other machines spend from the same account, and a window that ends forgives everything")
        func window() async throws {
            try await with { hub, client in
                _ = try await client.get(Self.path, Self.headers(nil))
                hub.spend(30)
                #expect(hub.quota?.spent == 31 && hub.quota?.reads == 1)
                hub.advanceClock(by: .seconds(3500))
                #expect(hub.quota?.spent == 31)
                hub.advanceClock(by: .seconds(100))
                #expect(hub.quota?.spent == 0 && hub.quota?.reads == 0)
                let head = try await client.head(Self.path, Self.headers(nil))
                #expect(head.headers["ratelimit-remaining"] == ["100;w=3600"])
            }
        }

        @Test("the headers have every spelling that was seen, and a refusal has the prefixed one")
        func spellings() async throws {
            try await with { hub, client in
                for spelling in RateLimitSpelling.allCases {
                    hub.configure { $0.rateLimitSpelling = spelling }
                    let head = try await client.head(Self.path, Self.headers(nil))
                    #expect(head.headers.contains { $0.name.hasPrefix(spelling.rawValue) }, "\(head)")
                }
                hub.spend(100)
                for form in RetryAfter.allCases {
                    hub.configure { $0.retryAfter = form }
                    let refused = try await client.get(Self.path, Self.headers(nil))
                    #expect(refused.status == 429 && refused.headers["x-ratelimit-remaining"] == ["0;w=3600"])
                    #expect(refused.headers["retry-after"].count == 1)
                }
                #expect(try await client.head(Self.path, Self.headers(nil)).status == 200)
                hub.configure { $0.limitsHeads = true }
                #expect(try await client.head(Self.path, Self.headers(nil)).status == 429)
                #expect(hub.quota?.reads == 0)
            }
        }

        @Test("what a fault answers instead is not charged")
        func replacedAnswers() async throws {
            try await with { hub, client in
                hub.script(RequestMatcher(.GET, kind: .manifest), .pullLimit(retryAfter: "5"))
                hub.script(RequestMatcher(.GET, kind: .manifest), .abuseLimit())
                let pull = try await client.get(Self.path, Self.headers(nil))
                #expect(pull.status == 429 && pull.isError("TOOMANYREQUESTS") && pull.retryAfter == 5)
                let abuse = try await client.get(Self.path, Self.headers(nil))
                #expect(abuse.status == 429 && abuse.headers["content-type"] == ["text/plain"])
                #expect(hub.quota?.spent == 0)
            }
        }

        @Test("the forms of Retry-After mean what they say")
        func retryAfter() throws {
            #expect(RetryAfter.seconds.value(in: 60) == "60")
            #expect(try #require(Int(RetryAfter.unixTime.value(in: 60))) > 1_700_000_000)
            let date = RetryAfter.httpDate.value(in: 60)
            #expect(date.hasSuffix(" GMT") && date.split(separator: " ").count == 6, "\(date)")
        }

        private static func headers(_ account: HubAccount?) -> HTTPHeaders {
            var headers: HTTPHeaders = ["Accept": "*/*"]
            if let account {
                headers.add(
                    name: "Authorization",
                    value: "Basic " + Base64.encode("\(account.user):\(account.password)")
                )
            }
            return headers
        }

        private func with(_ body: (ScriptedHub, TestClient) async throws -> Void) async throws {
            var options = HubOptions()
            options.authentication = .open
            let hub = try await ScriptedHub.start(options)
            hub.publish(.single(seed: 901), as: "library/app", tags: ["1"])
            try await body(hub, TestClient(port: hub.port(of: .registry)))
            await hub.stop()
        }
    }
}
