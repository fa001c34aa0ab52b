import Glibc
import MirrorTesting
import NIOHTTP1
import Testing

/// Tests of the built binary.
///
/// One after the other: each has processes of its own, and this suite is not here to measure what two cores can hold.
@Suite("End to end", .serialized, .timeLimit(.minutes(3)))
enum EndToEnd {}

/// A scripted Hub and a mirror of it.
struct Stage {
    let hub: ScriptedHub
    let mirror: TidepoolProcess

    var client: TestClient { mirror.client }

    /// Runs a test with a Hub and a mirror, and checks afterwards what must hold after every test.
    ///
    /// That is: the mirror ends in good order; it asked the Hub nothing that it should not have; nothing is left in the
    /// spool; and no secret stands in a log, the metrics, or a file.
    static func run(
        hub hubOptions: HubOptions = HubOptions(),
        _ configure: (ScriptedHub, inout TidepoolProcess.Options) throws -> Void = { _, _ in },
        _ body: (Stage) async throws -> Void
    ) async throws {
        let hub = try await ScriptedHub.start(hubOptions)
        var options = TidepoolProcess.Options()
        try configure(hub, &options)
        let mirror = try await TidepoolProcess.start(upstream: hub.endpoint, options)
        do {
            let stage = Stage(hub: hub, mirror: mirror)
            try await body(stage)
            try await stage.checkEnd()
        } catch {
            print("---- tidepool's log\n\(mirror.log)\n---- what the Hub was asked\n\(hub.log)")
            await mirror.kill()
            await hub.stop()
            throw error
        }
        await hub.stop()
    }

    private func checkEnd() async throws {
        // A test of how it ends may have ended it.
        let metrics = mirror.isRunning ? try await client.get("/metrics").text : ""
        // An interrupt does not wait for whoever directs clients here.
        mirror.signal(SIGINT)
        let status = await mirror.waitForExit()
        #expect(status == .exited(0), "tidepool ended with \(String(describing: status)):\n\(mirror.log)")
        #expect(hub.complaints.isEmpty, "the Hub complains: \(hub.complaints)")
        #expect(mirror.directory.files(under: "data/spool").isEmpty, "something is left in the spool")
        let leaks = SecretScan.leaks(of: hub.secrets, in: ["log": mirror.log, "metrics": metrics])
        #expect(leaks + SecretScan.leaks(of: hub.secrets, below: mirror.dataDirectory) == [])
    }
}

extension ScriptedHub {
    /// Manifest GETs, the ones that cost quota, since a point in the log.
    func manifestReads(since mark: Int = 0) -> Int { log.since(mark).count(.GET, role: .registry, kind: .manifest) }

    func manifestHeads(since mark: Int = 0) -> Int { log.since(mark).count(.HEAD, role: .registry, kind: .manifest) }

    /// Transfers of a blob from the CDN.
    func transfers(of blob: Content) -> Int { log.count(.GET, role: .cdn, reference: "\(blob.digest)") }
}

extension TestClient {
    /// Returns when so much is stored: what a client got may still be on its way to the disk.
    func waitUntilStored(blobs: Int? = nil, manifests: Int? = nil) async throws {
        for _ in 0..<500 {
            let metrics = try await get("/metrics").text
            let isStored = [("blob", blobs), ("manifest", manifests)]
                .allSatisfy { kind, count in
                    count.map { metrics.contains("tidepool_cache_objects{kind=\"\(kind)\"} \($0)\n") } ?? true
                }
            if isStored { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record(
            "\(blobs ?? 0) blobs and \(manifests ?? 0) manifests were never stored: \(try await get("/metrics").text)"
        )
    }
}

extension TestResponse {
    var digestHeader: String? { headers.first(name: "docker-content-digest") }

    /// Whether the body is this content, whole.
    func isExactly(_ content: Content) -> Bool {
        isComplete && body.count == content.count && Content.digest(of: body) == content.digest
    }

    var cacheStatus: String? { headers.first(name: "cache-status") }

    /// Whether it says that it is stale, to caches and to registry clients.
    var isMarkedStale: Bool {
        cacheStatus == "tidepool; hit; detail=stale"
            && ["110 ", "299 "].allSatisfy { code in headers["warning"].contains { $0.hasPrefix(code) } }
    }

    /// The whole number of seconds in `Retry-After`.
    var retryAfter: Int? { headers["retry-after"].first.flatMap { Int($0) } }

    /// Whether it is an error envelope with one of these codes.
    func isError(_ codes: String...) -> Bool {
        headers.first(name: "content-type") == "application/json" && codes.contains { text.contains("\"\($0)\"") }
    }
}

/// Returns when the condition holds.
func waitUntil(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<1500 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("never: \(what)")
}
