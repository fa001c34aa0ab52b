import Foundation
import MirrorCore
import MirrorTesting
import OCI
import Ocync
import Prewarm
import Testing

@Suite("Plans", .timeLimit(.minutes(1)))
struct PlanTests {
    private let image = TestImage.multiPlatform(seed: 1)
    private let plain = TestImage.single(seed: 2)

    @Test("names are looked up without a tag list, and patterns with one")
    func lists() async throws {
        let bench = Bench()
        try bench.mirror.add(image, "library/nginx", tag: "1.27")
        try bench.mirror.add(plain, "library/redis", tag: "7.2")
        try bench.mirror.add(plain, "library/redis", tag: "7.2-rc1")
        let plan = try await bench.plan(
            """
            { from: library/nginx, tags: { glob: ["1.27"] } }
            { from: library/redis, tags: { glob: "7.*" } }
            """
        )
        let log = bench.mirror.log
        #expect(log.first == "tags library/redis")
        #expect(log.dropFirst().sorted() == ["look library/nginx:1.27", "look library/redis:7.2"])
        #expect(plan.mappings.map(\.selection.isLiteral) == [true, false])
        #expect(plan.mappings[1].selection.dropped.map(\.tag) == ["7.2-rc1"])
        #expect(plan.requests == PlanRequests(tagLists: 1, heads: 2))
        #expect(plan.outcome == .done)
    }

    @Test("an index that is missing costs itself and a read for each platform")
    func platforms() async throws {
        let bench = Bench()
        try bench.mirror.add(image, "library/nginx", tag: "1")
        try bench.mirror.add(plain, "library/redis", tag: "7")
        let plan = try await bench.plan(
            """
            { from: library/nginx, tags: { glob: "1" }, platforms: [linux/amd64, linux/arm64] }
            { from: library/redis, tags: { glob: "7" }, platforms: [linux/amd64] }
            """
        )
        #expect(plan.mappings.flatMap(\.tags).map(\.price.manifestReads) == [3, 1])
        #expect(plan.price.manifestReads == 4 && plan.price.areReadsEstimated && plan.price.hasMoreBytes)
        #expect(plan.price.bytes == image.manifest.content.count + plain.manifest.content.count)
    }

    @Test("what is held costs nothing, and what is missing of it is known to the byte")
    func held() async throws {
        let bench = Bench()
        try bench.mirror.add(image, "library/nginx", tag: "1")
        bench.mirror.hold(image)
        var plan = try await bench.plan(#"{ from: library/nginx, tags: { glob: "1" } }"#)
        #expect(plan.price == Price() && plan.images.map(\.isCached) == [true])

        let lost = try #require(image.children.first)
        bench.mirror.change { state in
            state.held.remove(lost.digest)
            state.received[image.largestBlob.digest] = 100
            state.held.remove(image.largestBlob.digest)
        }
        plan = try await bench.plan(#"{ from: library/nginx, tags: { glob: "1" } }"#)
        #expect(plan.images.map(\.isCached) == [false])
        #expect(plan.price.manifestReads == 1 && !plan.price.areReadsEstimated)
    }

    @Test("what an earlier run has left of a blob is not paid for again")
    func partial() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "library/redis", tag: "7")
        bench.mirror.hold(plain)
        bench.mirror.change { state in
            state.held.remove(plain.largestBlob.digest)
            state.received[plain.largestBlob.digest] = 1000
        }
        let plan = try await bench.plan(#"{ from: library/redis, tags: { glob: "7" } }"#)
        #expect(plan.price == Price(bytes: plain.largestBlob.count - 1000))
    }

    @Test("what mappings share is one image, counted once, and comes first")
    func shared() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "library/redis", tag: "7")
        try bench.mirror.add(image, "library/nginx", tag: "1")
        try bench.mirror.add(image, "library/nginx", tag: "stable")
        let plan = try await bench.plan(
            """
            { from: library/redis, tags: { glob: "7" } }
            { from: library/nginx, tags: { glob: ["1"] }, platforms: [linux/amd64] }
            { from: library/nginx, tags: { glob: [stable, "1"] }, platforms: [linux/amd64, linux/arm64] }
            """
        )
        #expect(plan.images.map(\.tags) == [["1", "stable"], ["7"]])
        #expect(plan.images[0].demand == 3 && plan.images[0].platforms?.count == 2)
        #expect(plan.mappings.flatMap(\.tags).map(\.price.manifestReads) == [1, 2, 1, 0])
        #expect(plan.price.manifestReads == 4)
        #expect(plan.requests.heads == 3)
    }

    @Test("each mapping's first tags are fetched before its later ones, and what is nearly there before all")
    func order() async throws {
        let bench = Bench()
        let images = (0..<5).map { TestImage.single(seed: UInt64(10 + $0), layers: [100]) }
        try bench.mirror.add(images[0], "a/a", tag: "2")
        try bench.mirror.add(images[1], "a/a", tag: "1")
        try bench.mirror.add(images[2], "b/b", tag: "2")
        try bench.mirror.add(images[3], "b/b", tag: "1")
        try bench.mirror.add(images[4], "c/c", tag: "x")
        bench.mirror.change { $0.held.insert(images[3].digest) }
        let plan = try await bench.plan(
            """
            { from: a/a, tags: { glob: ["2", "1"] } }
            { from: b/b, tags: { glob: ["2", "1"] } }
            { from: c/c, tags: { glob: x } }
            """
        )
        #expect(plan.images.map(\.digest) == [images[3], images[0], images[2], images[4], images[1]].map(\.digest))
    }

    @Test("a tag that never moves is asked about as such")
    func immutable() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "a/a", tag: "v10.2.3")
        _ = try await bench.plan(#"{ from: a/a, tags: { glob: v10.2.3, immutable_tags: "v*" } }"#)
        #expect(bench.mirror.log == ["look a/a:v10.2.3 immutable"])
    }

    @Test("a mapping or a tag that fails does not keep the others, and decides the exit code")
    func failures() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "a/a", tag: "1")
        bench.mirror.change { $0.failures["tags d/d"] = [.denied] }
        let plan = try await bench.plan(
            """
            { from: a/a, tags: { glob: ["1", "2", "{x,y}"] } }
            { from: b/b, source: unknown, tags: { glob: "1" } }
            { from: c/c, tags: { glob: "[" } }
            { from: d/d, tags: { glob: "*" } }
            """
        )
        let tags = plan.mappings[0].tags
        #expect(tags.map(\.problem) == [nil, "the tag is not there, says the registry", "\"{x,y}\" is not a tag"])
        #expect(plan.mappings.map { $0.failure?.outcome } == [nil, .failed, .configurationError, .authenticationError])
        #expect(plan.outcome == .failed && plan.images.count == 1)
        let report = await bench.run(plan)
        #expect(report.outcome == .failed && report.count(.fetched) == 1 && report.failedTags.count == 2)
    }

    @Test("too few tags fail a run, and warn in a dry one")
    func tooFew() async throws {
        var bench = Bench()
        try bench.mirror.add(plain, "a/a", tag: "1")
        let mapping = #"{ from: a/a, tags: { glob: "*", min_tags: 2 } }"#
        #expect(try await bench.plan(mapping).outcome == .configurationError)
        bench.options.enforcesMinTags = false
        let plan = try await bench.plan(mapping)
        #expect(plan.outcome == .done && plan.warnings.count == 1)
    }

    @Test("the JSON has the documented shape")
    func json() async throws {
        let bench = Bench()
        try bench.mirror.add(plain, "library/redis", tag: "7")
        let plan = try await bench.plan(
            """
            { from: library/redis, to: redis, tags: { glob: "*" } }
            { from: x/x, source: unknown, tags: { glob: "1" } }
            """
        )
        let document = try JSONSerialization.jsonObject(with: Data(PlanDocument(plan).json))
        let expected: [String: Any] = [
            "mappings": [
                [
                    "from": "library/redis", "to": "redis", "upstream": "docker.io", "literal": false, "tags": ["7"],
                    "dropped": [] as [Any],
                    "images": [
                        [
                            "tag": "7", "digest": "\(plain.digest)", "cached": false, "manifest_reads": 1,
                            "bytes": plain.manifest.content.count,
                        ] as [String: Any]
                    ],
                ] as [String: Any],
                ["from": "x/x", "error": try #require(plan.mappings[1].failure).description],
            ],
            "manifest_reads": 1, "bytes": plain.manifest.content.count,
            "quota": ["limit": 100, "remaining": NSNull(), "reserve": 10] as [String: Any], "warnings": [] as [Any],
        ]
        #expect(try text(document) == text(expected))
    }

    private func text(_ json: Any) throws -> String {
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .prettyPrinted]
        return String(decoding: try JSONSerialization.data(withJSONObject: json, options: options), as: UTF8.self)
    }

    @Test("offline there are the tags, and nothing that only a mirror could tell")
    func offline() throws {
        let configuration = try Bench()
            .configuration(#"{ from: library/redis, tags: { glob: "7*" } }"# + "\n" + "{ from: a/b, tags: {} }")
        let plan = Planner.offline(configuration, tags: ["library/redis": ["6", "7", "7-rc1"]])
        let document = try JSONSerialization.jsonObject(with: Data(PlanDocument(plan, isOffline: true).json))
        let keys = (document as? [String: Any])?.keys.sorted()
        #expect(keys == ["mappings", "warnings"])
        #expect(plan.mappings[0].selection.kept == ["7"] && plan.mappings[1].failure != nil)
    }
}
