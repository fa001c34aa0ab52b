import FoundationEssentials
import Locking
import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    /// The short form of `bench/soak`, which says more of what it looks for.
    @Suite("Kills under load")
    struct SoakTests {
        private static let rounds = 6
        private static let clients = 4
        private static let images = (0..<12)
            .map { number in
                TestImage.single(
                    seed: 4700 + UInt64(number),
                    layers: [number % 3 * 400_000 + 20_000, 300_000, 700_000]
                )
            }

        /// What clients found wrong.
        private final class Findings: Sendable {
            private let texts = Locked<[String]>([])
            private let count = Locked(0)

            var all: [String] { texts.withLock { $0 } }
            var checked: Int { count.withLock { $0 } }

            func check(_ response: TestResponse, _ content: Content, _ what: String) {
                // Cut by the kill; a head that promises less than it means would be complete.
                guard response.isComplete, response.status == 200 else { return }
                count.withLock { $0 += 1 }
                if response.isExactly(content) { return }
                texts.withLock { $0.append("\(what): \(response)") }
            }
        }

        private static func pull(_ client: TestClient, _ random: inout SeededRandom, _ findings: Findings) async throws
        {
            let number = Int.random(in: 0..<images.count, using: &random)
            let image = images[number]
            let reference = Bool.random(using: &random) ? "\(number)" : "\(image.digest)"
            let manifest = try await client.get("/v2/library/app/manifests/\(reference)")
            findings.check(manifest, image.manifest.content, "manifest \(reference)")
            for blob in image.blobs {
                let response = try await client.get("/v2/library/app/blobs/\(blob.digest)")
                findings.check(response, blob, "blob \(blob.digest)")
            }
        }

        /// Pulls until the mirror dies.
        private static func load(_ client: TestClient, seed: UInt64, _ findings: Findings) async {
            var random = SeededRandom(seed: seed)
            while !Task.isCancelled {
                do { try await pull(client, &random, findings) } catch { return }
            }
        }

        /// Kills a mirror some time after clients began to pull.
        private static func kill(
            _ mirror: TidepoolProcess,
            round: Int,
            _ random: inout SeededRandom,
            _ findings: Findings
        )
            async throws
        {
            let delay = Duration.milliseconds(Int.random(in: 0..<1200, using: &random))
            try await withThrowingTaskGroup { group in
                for client in 0..<clients {
                    group.addTask { await load(mirror.client, seed: UInt64(round * clients + client), findings) }
                }
                // The moment is what is tried, so it is left to chance.
                try await Task.sleep(for: delay)
                await mirror.kill()
                group.cancelAll()
            }
        }

        /// What must hold of a directory whose mirror has just been started again.
        private static func examine(_ mirror: TidepoolProcess) async throws {
            let verify = ["cache", "verify", "--json", "--config", mirror.directory.path("tidepool.yaml")]
            // The sweep goes on while requests are answered already.
            try await waitUntil("no orphan is left") {
                try await !TidepoolProcess.run(verify).output.contains("\"orphan\"")
            }
            let result = try await TidepoolProcess.run(verify)
            #expect(result.succeeded && !result.output.contains("\"damage\""), "\(result)\n\(mirror.log)")
            for kind in ["blobs", "manifests"] {
                let files = mirror.directory.files(under: "data/\(kind)")
                try await mirror.client.waitUntilStored(
                    blobs: kind == "blobs" ? files.count : nil,
                    manifests: kind == "manifests" ? files.count : nil
                )
                for file in files {
                    let name = file.split(separator: "/").last.map(String.init) ?? ""
                    #expect(Content.digest(of: mirror.directory.bytes("data/\(kind)/\(file)")).hex == name)
                }
            }
            #expect(mirror.directory.files(under: "data/quarantine").isEmpty)
        }

        @Test("leave no wrong byte, no orphan and no damage, and no manifest is read twice", .timeLimit(.minutes(2)))
        func kills() async throws {
            let hub = try await ScriptedHub.start()
            for (number, image) in Self.images.enumerated() {
                hub.publish(image, as: "library/app", tags: ["\(number)"])
            }
            var random = SeededRandom(seed: 4701)
            for _ in 0..<60 {
                let end = Int.random(in: 1..<600_000, using: &random)
                hub.script(RequestMatcher(.GET, role: .cdn), .cut(after: end))
                hub.script(RequestMatcher(.GET, role: .cdn), times: 3, .slow(bytesPerSecond: 8 << 20))
            }
            var options = TidepoolProcess.Options()
            options.topLevel = ["cache: { max_size: 8MiB, min_free: 1MB }"]
            var mirror = try await RestartingMirror(upstream: hub.endpoint, options)
            let findings = Findings()
            for round in 0..<Self.rounds {
                let held = Set(mirror.process.directory.files(under: "data/manifests"))
                let mark = hub.log.entries.count
                try await Self.kill(mirror.process, round: round, &random, findings)
                for file in held {
                    let digest = "sha256:\(file.split(separator: "/").last ?? "")"
                    #expect(hub.log.since(mark).count(.GET, role: .registry, kind: .manifest, reference: digest) == 0)
                }
                try await mirror.start()
                try await Self.examine(mirror.process)
            }
            #expect(findings.all == [] && findings.checked > 50, "\(findings.checked) bodies")
            try await mirror.end()
            await hub.stop()
        }
    }
}
