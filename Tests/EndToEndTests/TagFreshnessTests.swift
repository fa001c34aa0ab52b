import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("A tag is checked by HEAD, once in tag_ttl")
    struct TagFreshnessTests {
        @Test("inside tag_ttl nothing is asked; after it, thirty clients at once cause one HEAD")
        func oneHead() async throws {
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 2s", "timeouts: { revalidate_within: 20s }"]
            } _: { stage in
                let hub = stage.hub
                let image = hub.publish(.single(seed: 21), as: "library/app", tags: ["latest"])
                let path = "/v2/library/app/manifests/latest"
                #expect(try await stage.client.get(path).isExactly(image.manifest.content))
                let cold = hub.log.entries.count
                for _ in 0..<3 { _ = try await stage.client.get(path) }
                #expect(hub.log.entries.count == cold, "\(hub.log)")

                // Time has to pass here: it is what the setting is about.
                try await Task.sleep(for: .seconds(2.2))
                let barrier = Barrier()
                hub.script(RequestMatcher(.HEAD, kind: .manifest), times: nil, .delay(until: barrier))
                let exchanges = try await start(30, path, stage.client)
                await barrier.arrivals(1)
                barrier.open()
                for exchange in exchanges {
                    #expect(try await exchange.response().isExactly(image.manifest.content))
                }
                #expect(hub.manifestHeads(since: cold) == 1, "\(hub.log.since(cold))")
                #expect(hub.manifestReads(since: cold) == 0)
            }
        }

        @Test("a tag that moved is followed after tag_ttl, for one manifest read")
        func movedTag() async throws {
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 100ms"]
            } _: { stage in
                let hub = stage.hub
                let path = "/v2/library/app/manifests/latest"
                hub.publish(.single(seed: 22), as: "library/app", tags: ["latest"])
                _ = try await stage.client.get(path)
                let new = hub.publish(.single(seed: 23), as: "library/app", tags: ["latest"])
                try await Task.sleep(for: .milliseconds(150))
                #expect(try await stage.client.get(path).isExactly(new.manifest.content))
                #expect(hub.manifestReads() == 2)
            }
        }

        @Test("the last known tag is served, marked stale, when the Hub is gone")
        func stale() async throws {
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 100ms"]
            } _: { stage in
                let image = stage.hub.publish(.single(seed: 24), as: "library/app", tags: ["latest"])
                let path = "/v2/library/app/manifests/latest"
                _ = try await stage.client.get(path)
                await stage.hub.stop()
                try await Task.sleep(for: .milliseconds(150))
                let response = try await stage.client.get(path)
                #expect(response.isExactly(image.manifest.content))
                #expect(response.headers["warning"].contains { $0.hasPrefix("110 ") }, "\(response.headers)")
                #expect(response.headers["warning"].contains { $0.hasPrefix("299 ") }, "\(response.headers)")
                try await stage.hub.restart()
            }
        }

        private func start(_ count: Int, _ path: String, _ client: TestClient) async throws -> [TestClient.Exchange] {
            var exchanges: [TestClient.Exchange] = []
            for _ in 0..<count { exchanges.append(try await client.start("GET", path)) }
            return exchanges
        }
    }
}
