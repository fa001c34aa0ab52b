import FoundationEssentials
import Glibc
import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("What happens to stored files is found before it is served")
    struct DamageTests {
        private static let image = TestImage.single(seed: 5100)
        /// Too large for the index to keep: it is served from its file.
        private static let largeManifest = TestImage.single(seed: 5101, layers: [Int](repeating: 100, count: 300))

        enum Harm: String, CaseIterable, Sendable {
            case flipped, flippedWithItsTimePutBack, truncated, emptied, deleted, madeADirectory, replaced

            func befall(_ path: String) throws {
                let manager = FileManager.default
                switch self {
                case .flipped: try Self.flip(path)
                case .flippedWithItsTimePutBack:
                    var status = stat()
                    try #require(stat(path, &status) == 0)
                    try Self.flip(path)
                    try #require(utimensat(AT_FDCWD, path, [status.st_atim, status.st_mtim], 0) == 0)
                case .truncated: try #require(truncate(path, 7) == 0)
                case .emptied: try #require(truncate(path, 0) == 0)
                case .deleted: try manager.removeItem(atPath: path)
                case .madeADirectory:
                    try manager.removeItem(atPath: path)
                    try manager.createDirectory(atPath: path, withIntermediateDirectories: false)
                case .replaced:
                    let size = try Data(contentsOf: URL(filePath: path)).count
                    try Data(repeating: 0, count: size).write(to: URL(filePath: path), options: .atomic)
                }
            }

            private static func flip(_ path: String) throws {
                var byte: UInt8 = 0
                let descriptor = open(path, O_RDWR)
                defer { close(descriptor) }
                try #require(pread(descriptor, &byte, 1, 50) == 1)
                byte ^= 1
                try #require(pwrite(descriptor, &byte, 1, 50) == 1)
            }
        }

        @Test("a pull after it is right, and says so", arguments: Harm.allCases, [true, false])
        func pulls(harm: Harm, isRunning: Bool) async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(Self.image, as: "library/app", tags: ["1"])
            hub.publish(Self.largeManifest, as: "library/app", tags: ["large"])
            var mirror = try await RestartingMirror(upstream: hub.endpoint, TidepoolProcess.Options())
            let blob = Self.image.largestBlob
            let objects: [(kind: String, request: String, content: Content)] = [
                ("blob", "blobs/\(blob.digest)", blob),
                ("manifest", "manifests/large", Self.largeManifest.manifest.content),
            ]
            for object in objects {
                #expect(try await mirror.client.get("/v2/library/app/\(object.request)").isExactly(object.content))
            }
            try await mirror.settle(blobs: 1, manifests: 1)
            if !isRunning { try await mirror.end() }
            for object in objects { try harm.befall(Self.path(of: object.content, object.kind, mirror)) }
            if !isRunning { try await mirror.start() }
            for object in objects {
                let path = "/v2/library/app/\(object.request)"
                #expect(try await mirror.client.get(path).isExactly(object.content), "\(object.kind)")
            }
            try await mirror.settle(blobs: 1, manifests: 1)
            for object in objects {
                #expect(try await Self.damages(object.kind, mirror) == 1)
                let file = try Data(contentsOf: URL(filePath: Self.path(of: object.content, object.kind, mirror)))
                #expect(Content.digest(of: Array(file)) == object.content.digest)
                #expect(
                    mirror.process.log.split(separator: "\n")
                        .contains { $0.contains("stored content is bad") && $0.contains("\(object.content.digest)") },
                    "the log does not tell of the \(object.kind)"
                )
                let path = "/v2/library/app/\(object.request)"
                #expect(try await mirror.client.get(path).isExactly(object.content))
                #expect(try await Self.damages(object.kind, mirror) == 1)
            }
            #expect(hub.transfers(of: blob) == 2 && hub.manifestReads() == 2)
            try await mirror.end()
            await hub.stop()
        }

        @Test("verify --repair mends it, running or stopped", arguments: Harm.allCases, [true, false])
        func repairs(harm: Harm, isRunning: Bool) async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(Self.image, as: "library/app", tags: ["1"])
            let mirror = try await RestartingMirror(upstream: hub.endpoint, TidepoolProcess.Options())
            let blob = Self.image.largestBlob
            #expect(try await mirror.client.get("/v2/library/app/manifests/1").status == 200)
            #expect(try await mirror.client.get("/v2/library/app/blobs/\(blob.digest)").isExactly(blob))
            try await mirror.settle(blobs: 1, manifests: 1)
            if !isRunning { try await mirror.end() }
            let objects = [("blob", blob), ("manifest", Self.image.manifest.content)]
            for (kind, content) in objects { try harm.befall(Self.path(of: content, kind, mirror)) }
            let settings = mirror.process.directory.path("tidepool.yaml")
            let result = try await TidepoolProcess.run(["cache", "verify", "--repair", "--config", settings])
            #expect(result.output.contains("2 damaged, 2 "), "\(result)")
            for (kind, content) in objects {
                let file = try Data(contentsOf: URL(filePath: Self.path(of: content, kind, mirror)))
                #expect(Content.digest(of: Array(file)) == content.digest, "\(kind)")
            }
            // The index has a small manifest too.
            #expect(hub.transfers(of: blob) == 2 && hub.manifestReads() == 1)
            let again = try await TidepoolProcess.run(["cache", "verify", "--config", settings])
            #expect(again.succeeded && again.output.contains("no damage"), "\(again)")
            if isRunning { try await mirror.end() }
            await hub.stop()
        }

        @Test("while the upstream is down it is an error and no wrong byte, and right when it is back")
        func outage() async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(Self.image, as: "library/app", tags: ["1"])
            var options = TidepoolProcess.Options()
            options.dockerHub.append("retries: 0")
            let mirror = try await RestartingMirror(upstream: hub.endpoint, options)
            let blob = Self.image.largestBlob
            let path = "/v2/library/app/blobs/\(blob.digest)"
            #expect(try await mirror.client.get("/v2/library/app/manifests/1").status == 200)
            #expect(try await mirror.client.get(path).isExactly(blob))
            try await mirror.settle(blobs: 1, manifests: 1)
            await hub.stop()
            try Harm.flipped.befall(Self.path(of: blob, "blob", mirror))
            let response = try await mirror.client.get(path)
            #expect(
                response.status == 503 && response.isError("TOOMANYREQUESTS", "UNAVAILABLE", "UNKNOWN"),
                "\(response)"
            )
            #expect(try await mirror.client.get("/v2/library/app/manifests/1").isExactly(Self.image.manifest.content))
            try await hub.restart()
            try await waitUntil("it is right again") { try await mirror.client.get(path).isExactly(blob) }
            try await mirror.end()
            await hub.stop()
        }

        @Test("an index of garbage is set aside, at the latest at the third start, and rebuilt for no quota")
        func garbage() async throws {
            let hub = try await ScriptedHub.start()
            let image = hub.publish(.single(seed: 5102), as: "library/app", tags: ["1"])
            var mirror = try await RestartingMirror(upstream: hub.endpoint, TidepoolProcess.Options())
            let paths = ["manifests/1"] + image.blobs.map { "blobs/\($0.digest)" }
            for path in paths { #expect(try await mirror.client.get("/v2/library/app/\(path)").status == 200) }
            try await mirror.settle(blobs: image.blobs.count, manifests: 1)
            try await mirror.end()
            // The two meta pages stay, so that LMDB goes on to the others.
            let data = mirror.process.directory.path("data/index/data.mdb")
            var bytes = Array(try Data(contentsOf: URL(filePath: data)))
            for index in bytes.indices.dropFirst(2 * 4096) { bytes[index] = UInt8(truncatingIfNeeded: index &* 151) }
            try Data(bytes).write(to: URL(filePath: data))
            var starts = 1
            while (try? await mirror.start()) == nil, starts < 3 { starts += 1 }
            let mark = hub.log.entries.count
            try await mirror.settle(blobs: image.blobs.count, manifests: 1)
            #expect(try await mirror.client.get("/v2/library/app/manifests/1").isExactly(image.manifest.content))
            for blob in image.blobs {
                #expect(try await mirror.client.get("/v2/library/app/blobs/\(blob.digest)").isExactly(blob))
            }
            #expect(hub.manifestReads(since: mark) == 0)
            #expect(hub.log.since(mark).count(.GET, role: .cdn) == 0)
            let kept = mirror.process.directory.files(under: "data").filter { $0.hasPrefix("index.damaged-") }
            #expect(!kept.isEmpty, "after \(starts) starts: \(mirror.process.log)")
            try await mirror.end()
            await hub.stop()
        }

        // MARK: - Parts

        private static func path(of content: Content, _ kind: String, _ mirror: RestartingMirror) -> String {
            let hex = content.digest.hex
            return mirror.process.directory.path("data/\(kind)s/sha256/\(hex.prefix(2))/\(hex)")
        }

        private static func damages(_ kind: String, _ mirror: RestartingMirror) async throws -> Int {
            let line = try await mirror.client.get("/metrics").text.split(separator: "\n")
                .first { $0.hasPrefix("tidepool_damaged_total{kind=\"\(kind)\"}") }
            return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
        }
    }
}
