import FoundationEssentials
import Glibc
import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("tidepool prewarm")
    struct PrewarmTests {
        @Test("the example of ocync's Docker Hub page warms nginx:latest, which is pulled with the Hub switched off")
        func hubPage() async throws {
            try await PrewarmStage.run { stage in
                let image = stage.hub.publish(.multiPlatform(seed: 1401), as: "library/nginx", tags: ["latest"])
                let account = HubAccount(user: "pelican", password: "hunter2-prewarm")
                stage.hub.addAccount(account)
                try stage.write(
                    """
                    # ocync.yaml
                    registries:
                      hub:
                        url: docker.io
                        auth_type: basic
                        credentials:
                          username: ${DOCKER_USERNAME}
                          password: ${DOCKER_PASSWORD}
                      ecr:
                        url: 123456789012.dkr.ecr.us-east-1.amazonaws.com

                    defaults:
                      source: hub
                      targets: ecr

                    mappings:
                      - from: library/nginx
                        to: nginx
                    """
                )
                let environment = ["DOCKER_USERNAME": account.user, "DOCKER_PASSWORD": account.password]
                let result = try await stage.prewarm(environment: environment)
                #expect(result.succeeded, "\(result)")
                #expect(result.errors.contains("ocync.yaml:17: mappings[0]: mapping 'library/nginx': has no tags"))
                #expect(result.output.contains("docker.io/library/nginx:latest: fetched"), "\(result)")
                #expect(stage.hub.quota(of: account.user)?.remaining == 200 - image.manifests.count)
                #expect(stage.hub.quota?.remaining == 100)
                await stage.hub.stop()
                try await stage.serving { mirror in
                    var node = PullingNode(habit: .getByTag, catalogue: [image.digest: image])
                    try await node.pull("latest", of: "library/nginx", from: mirror.client)
                    for blob in image.blobs {
                        #expect(try await mirror.client.get("/v2/library/nginx/blobs/\(blob.digest)").isExactly(blob))
                    }
                }
            }
        }

        // MARK: - What is asked upstream

        /// Twenty mappings of five kinds, with the tags that each keeps.
        private static let kinds: [(tags: String, kept: [String])] = [
            (#"{ glob: ["1.*"], exclude: "*-alpine" }"#, ["1.0.0", "1.1.0"]),
            (#"{ semver: ">=1.1", sort: semver, latest: 1 }"#, ["1.2.0-alpine"]),
            (#"{ glob: [latest] }"#, ["latest"]),
            (#"{ include: [latest], semver: "<1.1" }"#, ["latest", "1.0.0"]),
            ("{}", ["1.0.0", "1.1.0", "1.2.0-alpine", "latest"]),
        ]

        private static func publishTwenty(_ stage: PrewarmStage) throws {
            var mappings = ""
            for number in 0..<20 {
                for (place, tag) in ["1.0.0", "1.1.0", "1.2.0-alpine", "2.0.0-rc1", "latest"].enumerated() {
                    let seed = UInt64(141_000 + number * 10 + place)
                    let image = TestImage.multiPlatform(seed: seed, layers: [300, 700])
                    stage.hub.publish(image, as: "team/app\(number)", tags: [tag])
                }
                let platform = number % 4 == 0 ? "linux/arm64" : "linux/amd64"
                mappings +=
                    "  - { from: team/app\(number), platforms: [\(platform)], tags: \(kinds[number % 5].tags) }\n"
            }
            try stage.write(PrewarmStage.registries + "mappings:\n" + mappings)
        }

        @Test("twenty mappings: what is asked is what the plan has announced, and a second run makes HEADs only")
        func exact() async throws {
            try await PrewarmStage.run { stage in
                try Self.publishTwenty(stage)
                let dry = try await stage.prewarm("--dry-run", "--json")
                #expect(dry.succeeded, "\(dry)")
                let plan = try PrintedPlan(dry)
                #expect(plan.mappings.map(\.tags) == (0..<20).map { Self.kinds[$0 % 5].kept })
                let tags = plan.mappings.flatMap { $0.images ?? [] }
                #expect(tags.count == 40 && tags.allSatisfy { !$0.cached && $0.manifestReads == 2 })
                #expect(plan.manifestReads == 80)
                #expect(stage.hub.manifestHeads() == 40 && stage.hub.manifestReads() == 0)
                #expect(stage.hub.log.count(.GET, role: .registry, kind: .tags) == 16)

                var mark = stage.hub.log.entries.count
                let run = try await stage.prewarm()
                #expect(run.succeeded, "\(run)")
                #expect(run.output.contains("40 images: 40 fetched; 80 manifest reads"), "\(run)")
                #expect(stage.hub.manifestHeads(since: mark) == 40 && stage.hub.manifestReads(since: mark) == 80)
                #expect(stage.hub.log.since(mark).count(.GET, role: .cdn) == 120)

                mark = stage.hub.log.entries.count
                let second = try await stage.prewarm()
                #expect(second.succeeded && second.output.contains("nothing to fetch: 40 images cached"), "\(second)")
                let asked = stage.hub.log.since(mark)
                #expect(asked.count(.HEAD, role: .registry, kind: .manifest) == 40)
                #expect(asked.count(.GET, role: .registry, kind: .manifest) == 0 && asked.count(role: .cdn) == 0)
            }
        }

        @Test("--budget 5 stops after five manifest reads and says what is left; the next run finishes")
        func budget() async throws {
            try await PrewarmStage.run { stage in
                for number in 1...4 {
                    stage.hub.publish(.multiPlatform(seed: UInt64(1420 + number)), as: "team/b\(number)", tags: ["1"])
                }
                let mappings = (1...4).map { "  - { from: team/b\($0), tags: { glob: \"1\" } }\n" }.joined()
                try stage.write(PrewarmStage.registries + "mappings:\n" + mappings)
                let first = try await stage.prewarm("--budget", "5")
                #expect(first.status == .exited(1), "\(first)")
                #expect(
                    first.errors.contains("the budget of manifest reads is spent; left for the next run: "),
                    "\(first)"
                )
                #expect(stage.hub.manifestReads() == 5)
                let second = try await stage.prewarm()
                #expect(second.succeeded, "\(second)")
                #expect(stage.hub.manifestReads() == 8)
            }
        }

        @Test("the reserve is left to people who pull")
        func reserve() async throws {
            var options = HubOptions()
            options.quota = HubQuota(limit: 20)
            try await PrewarmStage.run(hub: options) { stage in
                for number in 1...4 {
                    stage.hub.publish(.multiPlatform(seed: UInt64(1430 + number)), as: "team/r\(number)", tags: ["1"])
                }
                let mappings = (1...4).map { "  - { from: team/r\($0), tags: { glob: \"1\" } }\n" }.joined()
                try stage.write(PrewarmStage.registries + "mappings:\n" + mappings)
                let first = try await stage.prewarm("--reserve", "16")
                #expect(first.status == .exited(1) && first.output.contains("of 20 left, 16 reserved"), "\(first)")
                #expect(stage.hub.manifestReads() == 4)
                let second = try await stage.prewarm("--reserve", "0")
                #expect(second.succeeded && stage.hub.manifestReads() == 8, "\(second)")
            }
        }

        @Test("a mapping that fails ends it as ocync would end, and the others are followed")
        func failures() async throws {
            try await PrewarmStage.run { stage in
                let image = stage.hub.publish(.single(seed: 1440), as: "team/good", tags: ["1"])
                try stage.write(
                    PrewarmStage.registries + """
                        mappings:
                          - { from: team/good, tags: { glob: "1" } }
                          - { from: team/good, tags: { glob: "[" } }
                        """
                )
                let result = try await stage.prewarm()
                #expect(result.status == .exited(3), "\(result)")
                #expect(result.errors.contains("mapping 'team/good': invalid glob pattern '['"), "\(result)")
                #expect(stage.hub.transfers(of: image.largestBlob) == 1)
            }
        }
    }
}
