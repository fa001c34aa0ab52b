import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("Quota that runs out is kept for pulls")
    struct PressureTests {
        private static let path = "/v2/library/app/manifests"

        @Test("down to the reserve, a tag is used for longer than tag_ttl, and what is not cached is still pulled")
        func stretching() async throws {
            var hubOptions = HubOptions()
            hubOptions.quota = HubQuota(limit: 100)
            try await Stage.run(hub: hubOptions) { _, options in
                options.dockerHub = ["tag_ttl: 1s", "reserve: 30"]
            } _: { stage in
                let hub = stage.hub
                let images = (0..<3).map { hub.publish(.single(seed: 1000 + $0), as: "library/app", tags: ["\($0)"]) }
                hub.spend(70)
                #expect(try await stage.client.get("\(Self.path)/0").status == 200)
                // Time has to pass here: it is what the setting is about.
                try await Task.sleep(for: .milliseconds(1100))
                let mark = hub.log.entries.count
                let response = try await stage.client.get("\(Self.path)/0")
                #expect(response.isExactly(images[0].manifest.content) && response.cacheStatus == "tidepool; hit")
                #expect(response.headers["warning"] == [])
                #expect(hub.log.since(mark).entries.isEmpty, "\(hub.log.since(mark))")
                for tag in 1..<3 {
                    let response = try await stage.client.get("\(Self.path)/\(tag)")
                    #expect(response.isExactly(images[tag].manifest.content), "\(response)")
                }
            }
        }

        @Test("a crash does not make it forget that nothing is left")
        func remembered() async throws {
            var hubOptions = HubOptions()
            hubOptions.quota = HubQuota(limit: 2)
            let hub = try await ScriptedHub.start(hubOptions)
            var options = TidepoolProcess.Options()
            options.dockerHub = ["tag_ttl: 50ms"]
            var mirror = try await RestartingMirror(upstream: hub.endpoint, options)
            let images = (0..<3).map { hub.publish(.single(seed: 1010 + $0), as: "library/app", tags: ["\($0)"]) }
            for tag in 0..<2 { #expect(try await mirror.client.get("\(Self.path)/\(tag)").status == 200) }
            #expect(try await mirror.client.get("\(Self.path)/2").isError("TOOMANYREQUESTS"))
            try await mirror.settle(blobs: 0, manifests: 2)
            try await mirror.crash()
            for tag in 0..<2 {
                let response = try await mirror.client.get("\(Self.path)/\(tag)")
                #expect(response.isExactly(images[tag].manifest.content) && response.isMarkedStale, "\(response)")
            }
            let account = try await PrintedQuota.read(from: mirror.process).account("docker.io")
            #expect(account.limit == 2 && account.remaining == 0 && account.spent["pull"] == 2)
            try await mirror.end()
            await hub.stop()
        }
    }
}
