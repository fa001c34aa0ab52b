import FoundationEssentials
import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("tidepool cache")
    struct CacheCommandTests {
        private static let image = TestImage.multiPlatform(seed: 1301)
        private static let plain = TestImage.single(seed: 1302)

        /// Pulls as a node does: the tag, a platform, and its blobs.
        private static func pull(_ stage: Stage) async throws {
            stage.hub.publish(image, as: "library/app", tags: ["1"])
            stage.hub.publish(plain, as: "org/tool", tags: ["2"])
            try await fetch(stage.client, "library/app", "1", [image.children[0].digest], image.blobs.prefix(3))
            try await fetch(stage.client, "org/tool", "2", [], plain.blobs[...])
            try await stage.client.waitUntilStored(blobs: 6, manifests: 3)
        }

        private static func fetch(
            _ client: TestClient,
            _ repository: String,
            _ tag: String,
            _ children: [Digest],
            _ blobs: ArraySlice<Content>
        ) async throws {
            for reference in [tag] + children.map({ "\($0)" }) {
                #expect(try await client.get("/v2/\(repository)/manifests/\(reference)").status == 200)
            }
            for blob in blobs {
                #expect(try await client.get("/v2/\(repository)/blobs/\(blob.digest)").isExactly(blob))
            }
        }

        private static func cache(_ stage: Stage, _ arguments: String...) async throws -> CommandResult {
            let settings = stage.mirror.directory.path("tidepool.yaml")
            return try await TidepoolProcess.run(["cache"] + arguments + ["--config", settings])
        }

        private static func stop(_ stage: Stage) async {
            stage.mirror.terminate()
            #expect(await stage.mirror.waitForExit() == .exited(0))
        }

        @Test("lists, shows, pins and sums up the same with the mirror running and stopped")
        func sameBothWays() async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                let pin = try await Self.cache(stage, "pin", "org/tool:2")
                #expect(pin.succeeded && pin.output == "pinned docker.io/org/tool:2\n", "\(pin)")
                let questions = [
                    ["ls", "--json"], ["ls", "--incomplete"], ["show", "app:1", "--json"],
                    ["show", "docker.io/org/tool:2"],
                ]
                var answers: [[String]] = []
                for isRunning in [true, false] {
                    if !isRunning { await Self.stop(stage) }
                    var outputs: [String] = []
                    for question in questions {
                        let settings = stage.mirror.directory.path("tidepool.yaml")
                        let result = try await TidepoolProcess.run(["cache"] + question + ["--config", settings])
                        #expect(result.succeeded, "\(result)")
                        outputs.append(Self.withoutAges(result.output))
                    }
                    answers.append(outputs)
                    let stats = try await Self.cache(stage, "stats")
                    #expect(stats.succeeded && stats.output.contains("repositories  2, 2 tags"), "\(stats)")
                    #expect(stats.output.contains("by 1 pin"), "\(stats)")
                }
                #expect(answers[0] == answers[1])
                let list = answers[0][0]
                #expect(
                    list.contains(#""reference":"docker.io/library/app:1""#) && list.contains(#""survival":"partial""#)
                )
                #expect(list.contains(#""reference":"docker.io/org/tool:2""#) && list.contains(#""survival":"whole""#))
                #expect(answers[0][3].contains("held    all; can be pulled without the upstream"))
            }
        }

        /// What a second more or less changes.
        private static func withoutAges(_ output: String) -> String {
            output.split(separator: "\n").filter { !$0.contains(" ago") }
                .map { $0.replacing(/"(used|checked|landed)_at":"[^"]*",?/, with: "") }
                .joined(separator: "\n")
        }

        @Test("removes with the mirror running and stopped; a pin is in the way", arguments: [true, false])
        func removes(isRunning: Bool) async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                #expect(try await Self.cache(stage, "pin", "app:1").succeeded)
                if !isRunning { await Self.stop(stage) }
                let refused = try await Self.cache(stage, "rm", "app:1")
                #expect(refused.status == .exited(2) && refused.errors.contains("is pinned"), "\(refused)")
                #expect(try await Self.cache(stage, "unpin", "app:1").succeeded)
                let removed = try await Self.cache(stage, "rm", "app:1")
                #expect(removed.succeeded && removed.output.hasPrefix("removed 2 manifests, 3 blobs"), "\(removed)")
                let files = stage.mirror.directory.files(under: "data/blobs")
                #expect(files.count == Self.plain.blobs.count, "\(files)")
                #expect(try await Self.cache(stage, "show", "app:1").status == .exited(2))
                #expect(try await Self.cache(stage, "show", "org/tool:2").succeeded)
                #expect(try await Self.cache(stage, "show", "no name").status == .exited(64))
                #expect(try await Self.cache(stage, "show", "quay.io/a/b").status == .exited(2))
            }
        }

        enum Harm: CaseIterable, Sendable {
            case flipped, truncated, deleted

            func befall(_ path: String) throws {
                let url = URL(filePath: path)
                var data = try Data(contentsOf: url)
                switch self {
                case .flipped: data[data.count / 2] ^= 1
                case .truncated: data.removeLast(10)
                case .deleted: return try FileManager.default.removeItem(at: url)
                }
                try data.write(to: url)
            }
        }

        private static func path(of blob: Content, _ stage: Stage) throws -> String {
            let files = stage.mirror.directory.files(under: "data/blobs")
            let file = try #require(files.first { $0.hasSuffix(blob.digest.hex) }, "\(files)")
            return stage.mirror.directory.path("data/blobs/\(file)")
        }

        @Test("damage is found, told and counted, and the next pull is right", arguments: Harm.allCases)
        func damage(harm: Harm) async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                let blob = Self.plain.largestBlob
                try harm.befall(try Self.path(of: blob, stage))
                let found = try await Self.cache(stage, "verify")
                #expect(found.status == .exited(1) && found.output.contains("\(blob.digest)"), "\(found)")
                let metrics = try await stage.client.get("/metrics").text
                #expect(metrics.contains(#"tidepool_damaged_total{kind="blob"} 1"# + "\n"), "\(metrics)")
                #expect(stage.mirror.log.contains("stored content is bad"))
                #expect(try await stage.client.get("/v2/org/tool/blobs/\(blob.digest)").isExactly(blob))
                try await stage.client.waitUntilStored(blobs: 6)
                #expect(try await Self.cache(stage, "verify").succeeded)
            }
        }

        @Test(
            "what is missing or short is right in the same pull that finds it",
            arguments: [Harm.truncated, .deleted]
        )
        func withinTheRequest(harm: Harm) async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                let blob = Self.plain.largestBlob
                try harm.befall(try Self.path(of: blob, stage))
                #expect(try await stage.client.get("/v2/org/tool/blobs/\(blob.digest)").isExactly(blob))
                let metrics = try await stage.client.get("/metrics").text
                #expect(metrics.contains(#"tidepool_damaged_total{kind="blob"} 1"# + "\n"), "\(metrics)")
                #expect(stage.mirror.log.contains("stored content is bad"))
            }
        }

        @Test(
            "verify --repair mends it at once, by the mirror or without one",
            arguments: Harm.allCases,
            [true, false]
        )
        func repair(harm: Harm, isRunning: Bool) async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                let blob = Self.plain.largestBlob
                let path = try Self.path(of: blob, stage)
                if !isRunning { await Self.stop(stage) }
                try harm.befall(path)
                let mended = try await Self.cache(stage, "verify", "--repair", "--rate", "500MB")
                #expect(mended.succeeded && mended.output.contains("1 damaged, 1 mended"), "\(mended)")
                #expect([UInt8](try Data(contentsOf: URL(filePath: path))) == blob.bytes)
                let clean = try await Self.cache(stage, "verify", "--json")
                #expect(clean.succeeded && clean.output.contains(#""damaged":0"#), "\(clean)")
                // One for the pull and one for the repair.
                #expect(stage.hub.transfers(of: blob) == 2)
            }
        }

        @Test("what was found first is mended later, and the image survives its upstream again")
        func repairedLater() async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                try Harm.flipped.befall(try Self.path(of: Self.plain.largestBlob, stage))
                #expect(try await Self.cache(stage, "verify").status == .exited(1))
                #expect(try await Self.cache(stage, "show", "org/tool:2").status == .exited(1))
                let mended = try await Self.cache(stage, "verify", "--repair")
                #expect(mended.succeeded && mended.output.contains("1 damaged, 1 mended"), "\(mended)")
                #expect(try await Self.cache(stage, "show", "org/tool:2").succeeded)
            }
        }

        @Test("gc removes a file that nobody knows")
        func orphan() async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                let stray = Content(seed: 1303, count: 5000)
                let directory = "data/blobs/sha256/\(stray.digest.hex.prefix(2))"
                let folder = try stage.mirror.directory.makeDirectory(directory)
                try Data(stray.bytes).write(to: URL(filePath: "\(folder)/\(stray.digest.hex)"))
                let told = try await Self.cache(stage, "verify")
                #expect(told.succeeded && told.output.contains("unknown blob file \(stray.digest)"), "\(told)")
                let removed = try await Self.cache(stage, "gc")
                #expect(removed.succeeded && removed.output.contains("1 unknown file"), "\(removed)")
                #expect(stage.mirror.directory.files(under: "data/blobs").count == 6)
            }
        }

        @Test("gc on a lost index removes nothing that is good, and all is served again for no quota")
        func lostIndex() async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                await Self.stop(stage)
                try FileManager.default.removeItem(atPath: stage.mirror.directory.path("data/index"))
                let removed = try await Self.cache(stage, "gc")
                #expect(removed.succeeded && removed.output == "nothing to remove\n", "\(removed)")
                #expect(stage.mirror.directory.files(under: "data/blobs").count == 6)
                #expect(stage.mirror.directory.files(under: "data/manifests").count == 3)
                let stats = try await Self.cache(stage, "stats", "--json")
                #expect(stats.output.contains(#""blobs":6"#) && stats.output.contains(#""manifests":3"#), "\(stats)")
            }
        }

        @Test("a directory without a cache, and one that cannot be used, are said to be that")
        func noCache() async throws {
            let directory = try TemporaryDirectory("no-cache")
            let missing = directory.path("none")
            let none = try await TidepoolProcess.run(["cache", "ls", "--data-dir", missing])
            #expect(
                none.status == .exited(2) && none.errors == "tidepool: there is no cache at \(missing)\n",
                "\(none)"
            )
            let file = directory.path("file")
            try Data().write(to: URL(filePath: file))
            let unusable = try await TidepoolProcess.run(["cache", "ls", "--data-dir", file])
            #expect(unusable.status == .exited(2) && unusable.errors.contains("cannot be used"), "\(unusable)")
            let empty = try directory.makeDirectory("empty")
            let nothing = try await TidepoolProcess.run(["cache", "ls", "--data-dir", empty])
            #expect(nothing.succeeded && nothing.output == "no images; 0 B stored in all\n", "\(nothing)")
        }

        @Test("the survival report names what an outage would take")
        func survival() async throws {
            try await Stage.run { stage in
                try await Self.pull(stage)
                stage.hub.publish(.single(seed: 1304), as: "org/half", tags: ["3"])
                #expect(try await stage.client.get("/v2/org/half/manifests/3").status == 200)
                try await stage.client.waitUntilStored(manifests: 4)
                let report = try await Self.cache(stage, "ls", "--incomplete")
                #expect(report.status == .exited(1), "\(report)")
                #expect(report.output.contains("org/half:3") && !report.output.contains("org/tool"), "\(report)")
                #expect(report.output.contains("1 could not be pulled without its upstream"), "\(report)")
            }
        }
    }
}
