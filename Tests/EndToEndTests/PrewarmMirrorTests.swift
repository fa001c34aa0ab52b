import FoundationEssentials
import Glibc
import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("tidepool prewarm while a mirror runs, and second names")
    struct PrewarmMirrorTests {
        private static let mappings = """
            mappings:
              - { from: team/app, tags: { glob: "1" } }
            """

        @Test("an image that is pulled and prewarmed at once is fetched once, by the mirror")
        func shared() async throws {
            try await PrewarmStage.run { stage in
                let image = stage.hub.publish(.single(seed: 1601), as: "team/app", tags: ["1"])
                try stage.write(PrewarmStage.registries + Self.mappings)
                try await stage.serving { mirror in
                    let barrier = Barrier()
                    let blob = image.largestBlob
                    stage.hub.script(
                        RequestMatcher(.GET, role: .cdn, reference: "\(blob.digest)"),
                        .stall(after: 50_000, until: barrier)
                    )
                    async let warmed = stage.prewarm()
                    await barrier.arrivals()
                    async let pulled = mirror.client.get("/v2/team/app/blobs/\(blob.digest)")
                    try await waitUntil("the pull has joined") {
                        try await mirror.client.get("/metrics").text.contains("tidepool_flight_followers_total 1\n")
                    }
                    barrier.open()
                    #expect(try await pulled.isExactly(blob))
                    let result = try await warmed
                    #expect(result.succeeded && result.output.contains("docker.io/team/app:1: fetched"), "\(result)")
                    #expect(stage.hub.transfers(of: blob) == 1 && stage.hub.manifestReads() == 1)
                    let metrics = try await mirror.client.get("/metrics").text
                    #expect(metrics.contains(#"tidepool_quota_spent_total{upstream="docker.io",purpose="prewarm"} 1"#))
                }
            }
        }

        @Test("--mirror warms another mirror by pulling from it, and needs nothing but its address")
        func remote() async throws {
            try await PrewarmStage.run { stage in
                let image = stage.hub.publish(.multiPlatform(seed: 1602), as: "team/app", tags: ["1"])
                try stage.write(PrewarmStage.registries + Self.mappings)
                try await stage.serving { mirror in
                    let arguments = [
                        "prewarm", "--mirror", "http://\(mirror.authority)", stage.directory.path("ocync.yaml"),
                    ]
                    let result = try await TidepoolProcess.run(arguments)
                    #expect(result.succeeded, "\(result)")
                    #expect(stage.hub.manifestReads() == 2)
                    try await mirror.client.waitUntilStored(blobs: image.amd64Blobs.count, manifests: 2)
                    let mark = stage.hub.log.entries.count
                    #expect(try await TidepoolProcess.run(arguments).succeeded)
                    #expect(stage.hub.manifestReads(since: mark) == 0)
                    #expect(stage.hub.log.since(mark).count(role: .cdn) == 0)
                }
            }
        }

        @Test("a pull of `to` finds `from`, by name alone and as the target registry's")
        func secondNames() async throws {
            let ocync = """
                registries: { hub: { url: docker.io }, ecr: { url: 123456789012.dkr.ecr.us-east-1.amazonaws.com } }
                defaults: { source: hub, targets: ecr, tags: { glob: ["1"] } }
                mappings:
                  - { from: team/app, to: copies/app }
                """
            try await PrewarmStage.run { options in
                options.topLevel = ["serve_targets: [ocync.yaml]"]
            } _: { stage in
                try stage.write(ocync)
                let image = stage.hub.publish(.single(seed: 1603), as: "team/app", tags: ["1"])
                try await stage.serving { mirror in
                    let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
                    for path in [
                        "/v2/copies/app/manifests/1", "/v2/copies/app/manifests/1?ns=\(ecr)",
                        "/v2/\(ecr)/copies/app/manifests/1", "/v2/team/app/manifests/1",
                    ] {
                        let response = try await mirror.client.get(path)
                        #expect(
                            response.status == 200 && response.isExactly(image.manifest.content),
                            "\(path): \(response)"
                        )
                    }
                    for blob in image.blobs {
                        #expect(try await mirror.client.get("/v2/copies/app/blobs/\(blob.digest)").isExactly(blob))
                    }
                    let other = try await mirror.client.get("/v2/copies/other/manifests/1?ns=\(ecr)")
                    #expect(other.status == 404 && other.isError("NAME_UNKNOWN"))
                    #expect(stage.hub.manifestReads() == 1)
                }
                let check = try await TidepoolProcess.run(["check-config", stage.settings])
                #expect(check.succeeded, "\(check)")
                try stage.write(ocync.replacing("to: copies/app", with: "to: docker.io/app"))
                let refused = try await TidepoolProcess.run(["check-config", stage.settings])
                #expect(
                    refused.status == .exited(3) && refused.errors.contains("ocync.yaml:4: mappings[0]"),
                    "\(refused)"
                )
            }
        }
    }
}
