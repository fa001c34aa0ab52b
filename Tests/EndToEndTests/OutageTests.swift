import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("The Hub is gone")
    struct OutageTests {
        @Test(
            "real clients pull what is cached, after its tag_ttl, as if nothing had happened",
            arguments: [RealClient.skopeo, .podman].filter(\.isUsable)
        )
        func realClients(kind: RealClient) async throws {
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 100ms"]
            } _: { stage in
                stage.hub.publish(.multiPlatform(seed: 801), as: "library/app", tags: ["1"])
                try await kind.use(settings: kind.documentedSettings(stage.mirror.authority)) { client in
                    let first = try await client.pull("library/app:1")
                    try #require(first.succeeded, "\(first)")
                    try await client.forget("library/app:1")
                    await stage.hub.stop()
                    try await Task.sleep(for: .milliseconds(110))
                    for _ in 0..<2 {
                        let again = try await client.pull("library/app:1")
                        #expect(again.succeeded, "\(again)")
                        try await client.forget("library/app:1")
                    }
                }
                try await stage.hub.restart()
            }
        }

        @Test("hundreds of pulls cost it a handful of requests, and its return is noticed without one")
        func breaker() async throws {
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 20ms"]
            } _: { stage in
                let hub = stage.hub
                let images = (0..<10).map { hub.publish(.single(seed: 810 + $0), as: "library/app", tags: ["\($0)"]) }
                for tag in images.indices { _ = try await stage.client.get("/v2/library/app/manifests/\(tag)") }
                hub.script(RequestMatcher(), times: nil, .reset)
                hub.expectMissing(RequestMatcher(kind: .manifest, reference: "absent"))
                let mark = hub.log.entries.count
                for number in 0..<300 {
                    let tag = number % images.count
                    let response = try await stage.client.get("/v2/library/app/manifests/\(tag)")
                    #expect(response.isExactly(images[tag].manifest.content), "\(response)")
                    if number >= images.count { #expect(response.isMarkedStale, "\(response)") }
                }
                let attempts = hub.log.since(mark).entries.count
                #expect(attempts <= 30, "\(attempts) requests in an outage")
                let absent = try await stage.client.get("/v2/library/app/manifests/absent")
                #expect(absent.status == 503 && absent.isError("UNAVAILABLE") && absent.retryAfter != nil, "\(absent)")

                hub.clearScript()
                let new = hub.publish(.single(seed: 830), as: "library/app", tags: ["0"])
                try await waitUntil("the moved tag is followed") {
                    try await stage.client.get("/v2/library/app/manifests/0").isExactly(new.manifest.content)
                }
                let fresh = try await stage.client.get("/v2/library/app/manifests/1")
                #expect(fresh.headers["warning"] == [], "\(fresh)")
            }
        }

        @Test("many clients at once wait for one check that hangs, none of them longer than revalidate_within")
        func hanging() async throws {
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 20ms", "timeouts: { head: 3s, revalidate_within: 300ms }"]
            } _: { stage in
                let image = stage.hub.publish(.single(seed: 840), as: "library/app", tags: ["1"])
                let path = "/v2/library/app/manifests/1"
                _ = try await stage.client.get(path)
                let barrier = Barrier()
                stage.hub.script(RequestMatcher(.HEAD), times: nil, .delay(until: barrier))
                try await Task.sleep(for: .milliseconds(30))
                let mark = stage.hub.log.entries.count
                var exchanges: [TestClient.Exchange] = []
                for _ in 0..<40 { exchanges.append(try await stage.client.start("GET", path)) }
                // The barrier is still closed: all of these come without an answer from the Hub.
                for exchange in exchanges {
                    let response = try await exchange.response()
                    #expect(response.isExactly(image.manifest.content) && response.isMarkedStale, "\(response)")
                }
                #expect(stage.hub.manifestHeads(since: mark) == 1, "\(stage.hub.log.since(mark))")
                barrier.open()
            }
        }
    }
}
