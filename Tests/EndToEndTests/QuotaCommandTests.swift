import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("tidepool quota")
    struct QuotaCommandTests {
        @Test("asks by one free HEAD when nothing is known, and then no more")
        func asksOnce() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 1101), as: "ratelimitpreview/test", tags: ["latest"])
                stage.hub.spend(12)
                for _ in 0..<2 {
                    try expectEqual(
                        try await PrintedQuota.read(from: stage.mirror).account("docker.io"),
                        stage.hub.quota
                    )
                }
                #expect(stage.hub.manifestHeads() == 1 && stage.hub.manifestReads() == 0, "\(stage.hub.log)")
            }
        }

        @Test("the table, the metrics and the Hub agree; without a mirror what was known last is shown")
        func agreement() async throws {
            try await Stage.run { stage in
                for seed in 0..<3 as Range<UInt64> {
                    stage.hub.publish(.single(seed: 1110 + seed), as: "library/app", tags: ["\(seed)"])
                    #expect(try await stage.client.get("/v2/library/app/manifests/\(seed)").status == 200)
                }
                let metrics = try await stage.client.get("/metrics").text
                let labels = #"{upstream="docker.io",account="anonymous"}"#
                #expect(metrics.contains("tidepool_quota_limit\(labels) 100\n"), "\(metrics)")
                #expect(metrics.contains("tidepool_quota_remaining\(labels) 97\n"), "\(metrics)")
                #expect(metrics.contains(#"tidepool_quota_spent_total{upstream="docker.io",purpose="pull"} 3"# + "\n"))
                for isRunning in [true, false] {
                    if !isRunning {
                        stage.mirror.terminate()
                        #expect(await stage.mirror.waitForExit() == .exited(0))
                    }
                    let settings = stage.mirror.directory.path("tidepool.yaml")
                    let table = try await TidepoolProcess.run(["quota", "--config", settings])
                    let line = table.output.split(separator: "\n").first { $0.contains("docker.io") } ?? ""
                    #expect(table.succeeded && line.contains("97") && line.contains("100"), "\(table)")
                    try expectEqual(
                        try await PrintedQuota.read(from: stage.mirror).account("docker.io"),
                        stage.hub.quota
                    )
                }
            }
        }
    }
}
