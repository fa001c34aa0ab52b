import MirrorCore
import OCI
import Testing

@testable import Ocync
@testable import Prewarm
@testable import tidepool

@Suite("What prewarm prints")
struct PrewarmTextTests {
    @Test("the price says what is left of the quota, and what is kept for pulls")
    func price() throws {
        let image = try ShownImages.image("library/nginx", "1")
        var plan = PrewarmPlan(images: [image], price: Price(manifestReads: 14, bytes: 1_900_000_000))
        #expect(PrewarmText.price(of: plan) == "14 manifest reads; 1.9 GB to fetch")
        plan.quotas[.dockerHub] = WarmQuota(limit: 100, remaining: 87, reserve: 10)
        #expect(PrewarmText.price(of: plan) == "14 manifest reads of 87 left, 10 reserved; 1.9 GB to fetch")
        plan.price = Price(manifestReads: 1, bytes: 500, areReadsEstimated: true, hasMoreBytes: true)
        #expect(PrewarmText.price(of: plan) == "about 1 manifest read of 87 left, 10 reserved; 500 B or more to fetch")
        plan.images = [try ShownImages.image("library/nginx", "1", cached: true)]
        #expect(PrewarmText.price(of: plan) == "nothing to fetch: 1 image cached")
    }

    @Test("each image has a line, and what went wrong is a problem")
    func images() throws {
        var image = try ShownImages.image("library/nginx", "1.27")
        image.tags = ["1.27", "1.27.0", "latest"]
        let fetched = ShownImages.result(image, .fetched, bytes: 68_200_000, reads: 3)
        #expect(
            PrewarmText.line(for: .ended(fetched))
                == .init(
                    text:
                        "docker.io/library/nginx:1.27 (also 1.27.0, latest): fetched 68.2 MB in 3.0 s, 3 manifest reads"
                )
        )
        var failed = ShownImages.result(image, .failed)
        failed.problem = "it is gone"
        #expect(PrewarmText.line(for: .ended(failed))?.isProblem == true)
        #expect(PrewarmText.line(for: .ended(failed))?.text.hasSuffix("latest): failed: it is gone") == true)
        #expect(PrewarmText.line(for: .ended(ShownImages.result(image, .left))) == nil)
    }

    @Test("the end says what is left, and why")
    func summary() throws {
        let images = try (1...12).map { try ShownImages.image("library/app\($0)", "1", number: $0) }
        let results =
            [ShownImages.result(images[0], .fetched, bytes: 1000, reads: 5)]
            + images.dropFirst().map { ShownImages.result($0, .left) }
        var report = PrewarmReport(
            images: results,
            failures: [FailedMapping(from: "library/x", failure: .mapping(.noSource(from: "library/x")))],
            failedTags: [],
            stop: .budget,
            left: Price(manifestReads: 22, bytes: 3_000_000, areReadsEstimated: true, hasMoreBytes: true),
            quotas: [:],
            duration: .seconds(200),
            warnings: []
        )
        let lines = PrewarmText.summary(of: report)
        #expect(lines.map(\.isProblem) == [true, true, false])
        #expect(lines[0].text.hasPrefix("mapping 'library/x': "))
        #expect(
            lines[1].text
                .hasPrefix("stopped: the budget of manifest reads is spent; left for the next run: app2:1, app3:1")
        )
        #expect(lines[1].text.hasSuffix("app11:1 and 1 more (about 22 manifest reads, 3.0 MB or more)"))
        #expect(lines[2].text == "12 images: 1 fetched, 11 left; 5 manifest reads, 1.0 kB in 3 min 20 s")
        report.stop = .interrupted
        #expect(PrewarmText.summary(of: report)[1].text.hasPrefix("stopped by a signal; left for the next run"))
    }

    private static func planned(_ yaml: String, tags: [String]) throws -> PrewarmPlan {
        let loaded = try OcyncConfiguration.load(text: yaml, file: "ocync.yaml", environment: [:])
        return Planner.offline(loaded.configuration, tags: ["library/nginx": tags])
    }

    @Test("a dry run explains what is kept, and what is dropped by which rule")
    func plan() throws {
        let yaml = """
            registries: { hub: { url: docker.io } }
            defaults: { source: hub, targets: hub }
            mappings:
              - from: library/nginx
                to: nginx
                tags: { semver: ">=1.25", sort: semver, latest: 2, include: [latest], exclude: ["*-perl"] }
              - { from: library/redis, tags: { glob: ["7"] } }
              - { from: library/other, tags: {} }
            """
        let tags = [
            "latest", "1.24.0", "1.25.0", "1.26.0", "1.26.0-rc1", "1.27.0", "1.27.0-perl", "a", "b", "c", "d", "e",
        ]
        let text = PlanText(plan: try Self.planned(yaml, tags: tags), isOffline: true).text
        let expected = """
            library/nginx -> nginx  [docker.io]
              3 of 12 tags kept by semver >=1.25, exclude *-perl, include latest, sort semver, latest=2
                latest
                1.27.0
                1.26.0
              9 dropped
                6 by semver ">=1.25": 1.24.0, a, b, c, d, ...
                1 over latest=2 limit: 1.25.0
                1 by exclude (built-in) "*-rc*": 1.26.0-rc1
                  to keep such tags, name them under include, where patterns may be used
                1 by exclude (mapping) "*-perl": 1.27.0-perl

            library/redis -> library/redis  [docker.io]
              1 tag by name, without a tag list
                7

            library/other -> library/other  [docker.io]
              failed:
            """
        #expect(text.hasPrefix(expected), "\(text)")
    }
}
