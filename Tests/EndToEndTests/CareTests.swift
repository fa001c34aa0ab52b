import FoundationEssentials
import Glibc
import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("The cache looks after itself")
    struct CareTests {
        private static func path(_ blob: Content) -> String { "/v2/library/app/blobs/\(blob.digest)" }

        @Test("the bound holds while ten times as much is pulled, and manifests stay")
        func bounded() async throws {
            try await Stage.run { _, options in
                options.topLevel = ["cache: { max_size: 8MiB, min_free: 1MB }"]
            } _: { stage in
                let image = stage.hub.publish(.single(seed: 4200), as: "library/app", tags: ["1"])
                #expect(try await stage.client.get("/v2/library/app/manifests/1").status == 200)
                let blobs = (0..<80).map { Content(seed: 4300 + UInt64($0), count: 1 << 20) }
                for blob in blobs { stage.hub.publish(blob, as: "library/app") }
                let most = try await DiskWatch.most(in: stage.mirror.directory) {
                    for start in stride(from: 0, to: blobs.count, by: 4) {
                        try await withThrowingTaskGroup { group in
                            for blob in blobs[start..<start + 4] {
                                group.addTask { try await stage.client.get(Self.path(blob)).isExactly(blob) }
                            }
                            for try await isExact in group { #expect(isExact) }
                        }
                    }
                }
                #expect(most <= (8 << 20) / 100 * 101, "\(most) bytes at a time")
                #expect(most >= 4 << 20, "the cache is hardly used: \(most) bytes")
                #expect(try await stage.client.metric("tidepool_evictions_total") > 60)
                let mark = stage.hub.log.entries.count
                #expect(try await stage.client.get("/v2/library/app/manifests/1").isExactly(image.manifest.content))
                #expect(stage.hub.manifestReads(since: mark) == 0)
            }
        }

        @Test(
            "on a full disk pulls go on",
            .enabled(if: SmallFileSystem.isAvailable, "mounting takes privileges")
        )
        func fullDisk() async throws {
            let disk = try SmallFileSystem(bytes: 24 << 20)
            let hub = try await ScriptedHub.start()
            var options = TidepoolProcess.Options()
            options.topLevel = ["cache: { max_size: 1GB, min_free: 2MB, index_map_size: 64MiB }"]
            options.arguments = ["--data-dir", disk.path("data")]
            let mirror = try await TidepoolProcess.start(upstream: hub.endpoint, options)
            for number in 0..<20 {
                let blob = Content(seed: 4400 + UInt64(number), count: 3 << 20)
                hub.publish(blob, as: "library/app")
                let response = try await mirror.client.get(Self.path(blob))
                #expect(response.isExactly(blob), "\(number): \(response.status) \(response.text.prefix(200))")
            }
            #expect(try await mirror.client.metric("tidepool_evictions_total") > 0)
            mirror.signal(SIGINT)
            #expect(await mirror.waitForExit() == .exited(0), "\(mirror.log)")
            await hub.stop()
        }

        @Test("a lost index is rebuilt from the files, for no quota and no transfer")
        func lostIndex() async throws {
            let hub = try await ScriptedHub.start()
            let image = hub.publish(.single(seed: 4500), as: "library/app", tags: ["1"])
            var mirror = try await RestartingMirror(upstream: hub.endpoint, TidepoolProcess.Options())
            let paths = ["manifests/1"] + image.blobs.map { "blobs/\($0.digest)" }
            for path in paths { #expect(try await mirror.client.get("/v2/library/app/\(path)").status == 200) }
            try await mirror.settle(blobs: image.blobs.count, manifests: 1)
            try await mirror.end()
            try FileManager.default.removeItem(atPath: mirror.process.directory.path("data/index"))
            try await mirror.start()
            let mark = hub.log.entries.count
            // At once, and again when all is recorded.
            for _ in 0..<2 {
                #expect(try await mirror.client.get("/v2/library/app/manifests/1").isExactly(image.manifest.content))
                for blob in image.blobs { #expect(try await mirror.client.get(Self.path(blob)).isExactly(blob)) }
                try await mirror.settle(blobs: image.blobs.count, manifests: 1)
            }
            #expect(hub.manifestReads(since: mark) == 0)
            #expect(hub.log.since(mark).count(.GET, role: .cdn) == 0)
            try await mirror.end()
            await hub.stop()
        }
    }
}

extension TestClient {
    /// The sum of a metric's series.
    func metric(_ name: String) async throws -> Int {
        try await get("/metrics").text.split(separator: "\n")
            .filter { $0.hasPrefix(name) }
            .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
            .reduce(0, +)
    }
}
