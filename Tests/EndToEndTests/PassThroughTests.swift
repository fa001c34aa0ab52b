import FoundationEssentials
import Glibc
import Locking
import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("What there is no room for is passed through")
    struct PassThroughTests {
        private static let cdn = RequestMatcher(.GET, role: .cdn)
        private static let limit = 2 << 20

        private static func path(_ blob: Content) -> String { "/v2/library/app/blobs/\(blob.digest)" }

        private static func small(_: ScriptedHub, _ options: inout TidepoolProcess.Options) {
            options.topLevel = ["cache: { max_size: 2MiB, min_free: 1MB }"]
        }

        @Test("a blob larger than the cache reaches many clients at once, and the disk has none of it")
        func outsized() async throws {
            let blob = Content(seed: 5000, count: 6 << 20)
            try await Stage.run(Self.small) { stage in
                stage.hub.publish(blob, as: "library/app")
                let directory = stage.mirror.directory
                let most = try await DiskWatch.most(in: directory) {
                    try await withThrowingTaskGroup { group in
                        for _ in 0..<6 {
                            group.addTask { try await stage.client.get(Self.path(blob)).isExactly(blob) }
                        }
                        for try await isExact in group { #expect(isExact) }
                    }
                    let next = try await stage.client.get(Self.path(blob))
                    #expect(next.isExactly(blob) && next.cacheStatus == "tidepool; fwd=miss")
                }
                #expect(most <= Self.limit)
                // One for each, and the one that found out.
                #expect(stage.hub.transfers(of: blob) <= 8)
                let metrics = try await stage.client.get("/metrics").text
                #expect(metrics.contains("tidepool_passthrough_total{upstream=\"docker.io\"} 7\n"), "\(metrics)")
                #expect(metrics.contains("tidepool_cache_limit_bytes \(Self.limit)\n"))
                let head = try await stage.client.head(Self.path(blob))
                #expect(head.status == 200 && head.headers.first(name: "content-length") == "\(blob.count)")
            }
        }

        @Test("ranges of it are right", arguments: [0..<1, 1000..<3_000_000, 5_000_000..<(6 << 20)])
        func ranges(range: Range<Int>) async throws {
            let blob = Content(seed: 5010, count: 6 << 20)
            try await Stage.run(Self.small) { stage in
                stage.hub.publish(blob, as: "library/app")
                let field = "bytes=\(range.lowerBound)-\(range.upperBound - 1)"
                let response = try await stage.client.get(Self.path(blob), ["range": field])
                let inside = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(blob.count)"
                #expect(response.status == 206 && response.isComplete, "\(response.status)")
                #expect(response.headers.first(name: "content-range") == inside)
                #expect(response.body == blob[range])
            }
        }

        @Test("a wrong byte never reaches its end", arguments: [0, 3 << 20, (6 << 20) - 1])
        func wrongByte(offset: Int) async throws {
            let blob = Content(seed: 5020, count: 6 << 20)
            try await Stage.run(Self.small) { stage in
                stage.hub.publish(blob, as: "library/app")
                stage.hub.script(Self.cdn, times: nil, .corrupt(at: offset))
                for fields in [[:], ["range": "bytes=5000000-"]] as [HTTPHeaders] {
                    let response = try? await stage.client.get(Self.path(blob), fields)
                    #expect(response.map { !$0.isComplete || $0.status >= 500 } ?? true)
                }
                stage.hub.clearScript()
                let next = try await stage.client.get(Self.path(blob))
                #expect(next.isExactly(blob))
            }
        }

        @Test("transfers cut at any place go on from there")
        func cuts() async throws {
            let blob = Content(seed: 5030, count: 6 << 20)
            try await Stage.run(Self.small) { stage in
                stage.hub.publish(blob, as: "library/app")
                for _ in 0..<4 { stage.hub.script(Self.cdn, .cut(after: 1_200_000)) }
                let response = try await stage.client.get(Self.path(blob))
                #expect(response.isExactly(blob))
            }
        }

        @Test("a client that does not read holds its upstream back, in little memory, and nobody else")
        func slowClient() async throws {
            let blob = Content(seed: 5040, count: 64 << 20)
            try await Stage.run(Self.small) { stage in
                stage.hub.publish(blob, as: "library/app")
                var slow: [TestClient.Exchange] = []
                for _ in 0..<4 {
                    let exchange = try await stage.client.start("GET", Self.path(blob))
                    _ = await exchange.bodyBytes(atLeast: 1)
                    try await exchange.connection.setReading(false)
                    slow.append(exchange)
                }
                #expect(try await stage.client.get(Self.path(blob)).isExactly(blob))
                let sent = stage.hub.log.matching(Self.cdn).filter { !$0.isComplete }.map(\.bodyBytes)
                // What the kernel's buffers take of it, on both sides.
                #expect(sent.filter { $0 > 48 << 20 }.isEmpty, "\(sent)")
                #expect(stage.mirror.residentBytes < 64 << 20, "\(stage.mirror.residentBytes)")
                for exchange in slow.dropFirst(2) { await exchange.connection.close() }
                for exchange in slow.prefix(2) {
                    try await exchange.connection.setReading(true)
                    #expect(try await exchange.response().isExactly(blob))
                }
            }
        }

        @Test(
            "on a disk that others have filled, pulls go on, and are stored again when there is room",
            .enabled(if: SmallFileSystem.isAvailable, "mounting takes privileges")
        )
        func fullDisk() async throws {
            let disk = try SmallFileSystem(bytes: 24 << 20)
            let hub = try await ScriptedHub.start()
            let mirror = try await Self.mirror(of: hub, on: disk)
            let image = hub.publish(.single(seed: 5050), as: "library/app", tags: ["1"])
            let blobs = (0..<4).map { hub.publish(Content(seed: 5060 + UInt64($0), count: 3 << 20), as: "library/app") }
            try disk.fill()
            #expect(try await mirror.client.get("/v2/library/app/manifests/1").isExactly(image.manifest.content))
            for blob in blobs {
                let response = try await mirror.client.get(Self.path(blob))
                #expect(response.isExactly(blob), "\(response.status) \(response.text.prefix(200))")
            }
            #expect(try await mirror.client.get("/metrics").text.contains("tidepool_passthrough_total{"))
            try disk.empty()
            for blob in blobs { #expect(try await mirror.client.get(Self.path(blob)).isExactly(blob)) }
            try await mirror.client.waitUntilStored(blobs: blobs.count)
            mirror.signal(SIGINT)
            #expect(await mirror.waitForExit() == .exited(0), "\(mirror.log)")
            await hub.stop()
        }

        @Test(
            "clients in the middle of a blob when the disk fills up get the rest",
            .enabled(if: SmallFileSystem.isAvailable, "mounting takes privileges"),
            arguments: [false, true]
        )
        func fillsUp(isWrong: Bool) async throws {
            let disk = try SmallFileSystem(bytes: 24 << 20)
            let hub = try await ScriptedHub.start()
            let mirror = try await Self.mirror(of: hub, on: disk)
            let blob = hub.publish(Content(seed: 5070, count: 12 << 20), as: "library/app")
            let barrier = Barrier()
            if isWrong { hub.script(Self.cdn, .corrupt(at: 1000), .stall(after: 4 << 20, until: barrier)) }
            if !isWrong { hub.script(Self.cdn, .stall(after: 4 << 20, until: barrier)) }
            var exchanges: [TestClient.Exchange] = []
            for _ in 0..<3 { exchanges.append(try await mirror.client.start("GET", Self.path(blob))) }
            for exchange in exchanges { _ = await exchange.bodyBytes(atLeast: 3 << 20) }
            try disk.fill()
            barrier.open()
            for exchange in exchanges {
                let response = try await exchange.response()
                #expect(response.isExactly(blob) == !isWrong && response.isComplete == !isWrong)
            }
            try disk.empty()
            #expect(try await mirror.client.get(Self.path(blob)).isExactly(blob))
            try await mirror.client.waitUntilStored(blobs: 1)
            mirror.signal(SIGINT)
            #expect(await mirror.waitForExit() == .exited(0), "\(mirror.log)")
            await hub.stop()
        }

        private static func mirror(of hub: ScriptedHub, on disk: SmallFileSystem) async throws -> TidepoolProcess {
            var options = TidepoolProcess.Options()
            options.topLevel = ["cache: { max_size: 1GB, min_free: 1MB, index_map_size: 64MiB }"]
            options.arguments = ["--data-dir", disk.path("data")]
            return try await TidepoolProcess.start(upstream: hub.endpoint, options)
        }
    }
}

/// Looks how much blobs and spools take on the disk.
enum DiskWatch {
    /// The most that was seen while `body` ran.
    static func most(in directory: TemporaryDirectory, while body: () async throws -> Void) async throws -> Int {
        let most = Locked(0)
        let watch = Task {
            while !Task.isCancelled {
                let now = bytes(in: directory)
                most.withLock { $0 = max($0, now) }
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        defer { watch.cancel() }
        try await body()
        return most.withLock { $0 }
    }

    /// What the files of blobs and spools have at this moment.
    static func bytes(in directory: TemporaryDirectory) -> Int {
        ["data/blobs", "data/spool"]
            .flatMap { name in directory.files(under: name).map { directory.path("\(name)/\($0)") } }
            .reduce(0) { sum, path in
                let size = try? FileManager.default.attributesOfItem(atPath: path)[.size]
                return sum + ((size as? UInt64).map { Int($0) } ?? 0)
            }
    }
}

private struct BallastError: Error {
    var errno: Int32
}

extension SmallFileSystem {
    private var ballast: String { path("ballast") }

    /// Takes all the room that is left.
    fileprivate func fill() throws {
        let file = creat(ballast, 0o600)
        guard file >= 0 else { throw BallastError(errno: errno) }
        defer { close(file) }
        for size in [1 << 20, 4096] {
            let zeros = [UInt8](repeating: 0, count: size)
            while write(file, zeros, size) > 0 {}
        }
    }

    /// Gives that room back.
    fileprivate func empty() throws {
        guard unlink(ballast) == 0 else { throw BallastError(errno: errno) }
    }
}
