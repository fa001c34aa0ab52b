import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("Transfers that break")
    struct ResumeTests {
        private static let cdn = RequestMatcher(.GET, role: .cdn)

        private static func path(_ blob: Content) -> String { "/v2/library/app/blobs/\(blob.digest)" }

        private static func transfers(of blob: Content) -> RequestMatcher {
            RequestMatcher(.GET, role: .cdn, reference: "\(blob.digest)")
        }

        /// Where a request asks a blob to begin: 0 without a range.
        private static func start(of request: LoggedRequest) -> Int {
            request.request.headers.first(name: "range").flatMap { Int($0.drop { !$0.isNumber }.dropLast()) } ?? 0
        }

        /// Bytes of blobs that the Hub has sent.
        private static func sent(by hub: ScriptedHub) -> Int { hub.log.matching(cdn).reduce(0) { $0 + $1.bodyBytes } }

        /// Cuts a blob up to five times, each time anywhere in what is left; some signed URLs have run out besides.
        private static func breakUp(_ blob: Content, at hub: ScriptedHub, _ random: inout SeededRandom) {
            var left = blob.count
            for _ in 0..<Int.random(in: 0...5, using: &random) where left > 1 {
                if Int.random(in: 0..<4, using: &random) == 0 {
                    hub.script(transfers(of: blob), .refuse(.forbidden, "DENIED"))
                }
                let end = Int.random(in: 1..<left, using: &random)
                hub.script(transfers(of: blob), .cut(after: end))
                left -= end
            }
        }

        @Test("50 that are cut at any places, of a CDN of many names, come whole, and hardly a byte comes twice")
        func cuts() async throws {
            var options = HubOptions()
            options.cdnHosts = ["127.0.0.1", "localhost"]
            try await Stage.run(hub: options) { stage in
                var random = SeededRandom(seed: 41)
                let blobs = (0..<50)
                    .map { number in
                        Content(seed: 4000 + UInt64(number), count: Int.random(in: 100_000..<3_000_000, using: &random))
                    }
                for blob in blobs {
                    stage.hub.publish(blob, as: "library/app")
                    Self.breakUp(blob, at: stage.hub, &random)
                }
                try await withThrowingTaskGroup { group in
                    for blob in blobs {
                        group.addTask { try await stage.client.get(Self.path(blob)).isExactly(blob) }
                    }
                    for try await isExact in group { #expect(isExact) }
                }
                try await stage.client.waitUntilStored(blobs: blobs.count)
                let whole = blobs.reduce(0) { $0 + $1.count }
                let sent = Self.sent(by: stage.hub)
                #expect(sent >= whole && Double(sent) <= 1.02 * Double(whole), "\(sent) of \(whole)")
                #expect(stage.hub.log.count(Self.cdn) > 2 * blobs.count)
            }
        }

        @Test("an upstream that ignores ranges sends again what is here, and the body is right")
        func ignoredRanges() async throws {
            try await Stage.run { stage in
                let blob = stage.hub.publish(Content(seed: 4101, count: 3 << 20), as: "library/app")
                stage.hub.script(Self.cdn, .cut(after: 1_000_000))
                stage.hub.script(Self.cdn, .ignoreRange, .cut(after: 2_000_000))
                stage.hub.script(Self.cdn, times: nil, .ignoreRange)
                #expect(try await stage.client.get(Self.path(blob)).isExactly(blob))
                #expect(Self.sent(by: stage.hub) == 3_000_000 + blob.count, "\(stage.hub.log)")
                try await stage.client.waitUntilStored(blobs: 1)
            }
        }

        /// Ways of not telling how long a body is.
        enum Untold: CaseIterable {
            case chunked, untilClosed
        }

        @Test("a body of no told length that breaks off does not pass for whole", arguments: Untold.allCases)
        func untoldLength(_ untold: Untold) async throws {
            try await Stage.run { stage in
                let blob = stage.hub.publish(Content(seed: 4102, count: 2 << 20), as: "library/app")
                let fault: Fault = untold == .chunked ? .chunked : .without(header: "content-length")
                stage.hub.script(Self.cdn, fault, .cut(after: 700_000))
                let response = try await stage.client.get(Self.path(blob))
                #expect(response.isExactly(blob), "\(response)")
                let starts = stage.hub.log.matching(Self.cdn).map(Self.start)
                // Where nothing says that the body broke off, the digest may be the first to, and then all of it comes again.
                #expect(starts == [0, 700_000] || untold == .untilClosed && starts == [0, 0], "\(stage.hub.log)")
            }
        }

        @Test("when the retries are used up the connection is cut, and the next pull goes on from there")
        func givenUp() async throws {
            try await Stage.run { _, options in
                options.dockerHub += ["retries: 2"]
            } _: { stage in
                let blob = stage.hub.publish(Content(seed: 4103, count: 2 << 20), as: "library/app")
                stage.hub.script(Self.cdn, times: nil, .cut(after: 50_000))
                let broken = try await stage.client.get(Self.path(blob))
                #expect(broken.status == 200 && !broken.isComplete && broken.body.count < blob.count, "\(broken)")
                #expect(broken.body == blob[0..<broken.body.count])
                stage.hub.clearScript()
                let mark = stage.hub.log.entries.count
                #expect(try await stage.client.get(Self.path(blob)).isExactly(blob))
                let starts = stage.hub.log.since(mark).matching(Self.cdn).map(Self.start)
                #expect(starts == [150_000], "\(stage.hub.log)")
            }
        }

        @Test("a fill that was killed half way goes on by Range", arguments: [true, false])
        func killed(honoursRange: Bool) async throws {
            let blob = Content(seed: 4100, count: 4 << 20)
            let hub = try await ScriptedHub.start()
            let barrier = Barrier()
            hub.publish(blob, as: "library/app")
            hub.script(Self.cdn, .stall(after: 2 << 20, until: barrier))
            var mirror = try await RestartingMirror(upstream: hub.endpoint, TidepoolProcess.Options())
            _ = await (try mirror.client.start("GET", Self.path(blob))).bodyBytes(atLeast: 1 << 20)
            try await mirror.crash()
            barrier.open()
            if !honoursRange { hub.script(Self.cdn, .ignoreRange) }
            hub.configure { $0.cdnHosts = ["localhost"] }
            #expect(try await mirror.client.get(Self.path(blob)).isExactly(blob))
            let last = try #require(hub.log.matching(Self.cdn).last)
            #expect(Self.start(of: last) >= 1 << 20, "\(last)")
            #expect(last.bodyBytes == (honoursRange ? blob.count - Self.start(of: last) : blob.count))
            try await mirror.settle(blobs: 1, manifests: 0)
            #expect(mirror.process.directory.files(under: "data/spool").isEmpty)
            try await mirror.end()
            await hub.stop()
        }
    }
}
