import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("An index with no room")
    struct FullIndexTests {
        @Test("makes room or does without: every pull succeeds, also after a restart, and costs its quota once")
        func pulls() async throws {
            var hubOptions = HubOptions()
            hubOptions.quota = nil
            let hub = try await ScriptedHub.start(hubOptions)
            var options = TidepoolProcess.Options()
            options.topLevel = ["cache: { max_size: 1GB, min_free: 1MB, index_map_size: 1MiB }"]
            var mirror = try await RestartingMirror(upstream: hub.endpoint, options)
            // Ten references each, so that there is much to record.
            let layers = [Int](repeating: 1000, count: 10)
            let images = (0..<300).map { TestImage.single(seed: 4800 + UInt64($0), layers: layers) }
            for (number, image) in images.enumerated() {
                hub.publish(image, as: "library/app\(number)", tags: ["1"])
            }
            for pass in 0..<2 {
                for (number, image) in images.enumerated() {
                    let repository = "/v2/library/app\(number)"
                    let manifest = try await mirror.client.get("\(repository)/manifests/1")
                    #expect(manifest.isExactly(image.manifest.content), "\(pass) \(number): \(manifest)")
                    for blob in image.blobs where number % 15 == 0 {
                        let response = try await mirror.client.get("\(repository)/blobs/\(blob.digest)")
                        #expect(response.isExactly(blob), "\(pass) \(number): \(response)")
                    }
                }
                #expect(mirror.process.log.contains("index_map_size"), "it was never full")
                try await mirror.restart()
            }
            #expect(hub.manifestReads() == images.count)
            try await mirror.end()
            await hub.stop()
        }
    }
}
