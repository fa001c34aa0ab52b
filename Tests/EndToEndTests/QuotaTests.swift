import Foundation
import MirrorTesting
import Testing

extension EndToEnd {
    @Suite("Seeing the quota")
    struct QuotaTests {
        private static let probe = "ratelimitpreview/test"

        private static func quota(_ directory: TemporaryDirectory) async throws -> PrintedQuota.Account {
            try await PrintedQuota.read(with: directory.path("tidepool.yaml")).account("docker.io")
        }

        private static func quota(_ json: String) throws -> PrintedQuota.Account {
            try PrintedQuota(json: json).account("docker.io")
        }

        private static func mode(_ path: String) -> Int? {
            (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int
        }

        // MARK: Numbers

        @Test("the command, the API, and the data directory after a kill say what the Hub says")
        func numbers() async throws {
            let hub = try await ScriptedHub.start()
            let image = hub.publish(.multiPlatform(seed: 301), as: "library/app", tags: ["1"])
            let directory = try TemporaryDirectory("quota")
            let mirror = try await TidepoolProcess.start(upstream: hub.endpoint, in: directory)
            for reference in ["1"] + image.manifests.map({ "\($0.digest)" }) {
                let response = try await mirror.client.get("/v2/library/app/manifests/\(reference)")
                #expect(response.status == 200, "\(response)")
            }
            let running = try await Self.quota(directory)
            #expect(running.upstream == "docker.io" && running.account == "anonymous" && running.state == "limited")
            #expect(running.limit == 100 && running.windowSeconds == 3600 && running.source == "127.0.0.1")
            #expect(running.remaining == hub.quota?.remaining)
            #expect(running.spent == ["pull": hub.quota?.spent ?? -1, "prewarm": 0, "refresh": 0])
            #expect(running.resetsAt?.hasSuffix("Z") == true)
            #expect(try await Self.quota(mirror.client.get("/-/api/quota").text) == running)
            await mirror.kill()
            #expect(try await Self.quota(directory) == running)
            await hub.stop()
            #expect(hub.complaints.isEmpty)
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

        @Test("where nothing is known, one free HEAD tells it; by TCP nobody can make the mirror send it")
        func freeQuestion() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 302), as: Self.probe, tags: ["latest"])
                let before = try Self.quota(try await stage.client.get("/-/api/quota").text)
                #expect(before.state == "unknown" && before.remaining == nil)
                #expect(stage.hub.manifestHeads() == 0)
                for _ in 0..<2 {
                    let quota = try await Self.quota(stage.mirror.directory)
                    #expect(quota.remaining == 100 && quota.limit == 100 && quota.spent["pull"] == 0)
                }
                #expect(stage.hub.manifestHeads() == 1)
                #expect(stage.hub.manifestReads() == 0)
                #expect(try await stage.client.get("/").text.contains("100 of 100"))
            }
        }

        @Test("without a mirror the command asks itself, and keeps the answer if there is somewhere to keep it")
        func withoutMirror() async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(.single(seed: 303), as: Self.probe, tags: ["latest"])
            let directory = try TemporaryDirectory("quota")
            try TidepoolProcess.writeConfiguration(upstream: hub.endpoint, .init(), in: directory)
            #expect(try await Self.quota(directory).remaining == 100)
            #expect(!FileManager.default.fileExists(atPath: directory.path("data")))
            try directory.makeDirectory("data")
            for _ in 0..<2 { #expect(try await Self.quota(directory).remaining == 100) }
            // Once for the answer that could not be kept, once for the one that was.
            #expect(hub.manifestHeads() == 2)
            #expect(hub.manifestReads() == 0)
            await hub.stop()
        }

        @Test("a Hub that is down leaves it unknown, with the reason, and is no failure of the command")
        func hubDown() async throws {
            let hub = try await ScriptedHub.start()
            await hub.stop()
            let directory = try TemporaryDirectory("quota")
            let path = try TidepoolProcess.writeConfiguration(upstream: hub.endpoint, .init(), in: directory)
            let quota = try await Self.quota(directory)
            #expect(quota.state == "unknown" && quota.error == "refused")
            let table = try await TidepoolProcess.run(["quota", "--config", path])
            #expect(table.output.contains("unknown (refused)"), "\(table)")
            #expect(!table.output.contains("\u{1b}"))
        }

        // MARK: Socket

        @Test("the control socket is its owner's, goes when the mirror stops, and one left by a kill is replaced")
        func socket() async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(.single(seed: 304), as: Self.probe, tags: ["latest"])
            let directory = try TemporaryDirectory("quota")
            let socket = directory.path("data/control.sock")
            let first = try await TidepoolProcess.start(upstream: hub.endpoint, in: directory)
            #expect(Self.mode(socket) == 0o600)
            await first.kill()
            #expect(Self.mode(socket) == 0o600)
            #expect(try await Self.quota(directory).upstream == "docker.io")
            let second = try await TidepoolProcess.start(upstream: hub.endpoint, in: directory)
            #expect(Self.mode(socket) == 0o600)
            #expect(try await Self.quota(directory).upstream == "docker.io")
            second.terminate()
            #expect(await second.waitForExit() == .exited(0))
            #expect(Self.mode(socket) == nil)
            await hub.stop()
        }

        @Test("a data directory whose path is too long for a socket's address works all the same")
        func longPath() async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(.single(seed: 305), as: Self.probe, tags: ["latest"])
            let directory = try TemporaryDirectory("quota")
            let data = try directory.makeDirectory(String(repeating: "long/", count: 30) + "data")
            var options = TidepoolProcess.Options()
            options.arguments = ["--data-dir", data]
            let mirror = try await TidepoolProcess.start(upstream: hub.endpoint, options, in: directory)
            #expect(Self.mode("\(data)/control.sock") == 0o600)
            let arguments = ["quota", "--config", directory.path("tidepool.yaml"), "--data-dir", data]
            let result = try await TidepoolProcess.run(arguments)
            #expect(result.succeeded && result.output.contains("docker.io"), "\(result)")
            mirror.terminate()
            #expect(await mirror.waitForExit() == .exited(0))
            await hub.stop()
        }

        @Test("a mirror that holds the data and does not answer is named; exit 2")
        func noAnswer() async throws {
            try await Stage.run { stage in
                try FileManager.default.removeItem(atPath: "\(stage.mirror.dataDirectory)/control.sock")
                let path = stage.mirror.directory.path("tidepool.yaml")
                let result = try await TidepoolProcess.run(["quota", "--config", path])
                #expect(result.status == .exited(2), "\(result)")
                #expect(result.output.isEmpty)
                for part in ["process \(stage.mirror.identifier)", "control.sock"] {
                    #expect(result.errors.contains(part), "\(result)")
                }
            }
        }

        @Test(
            "wrong settings exit 3, a wrong command line 64",
            arguments: [(["--config", "/nonexistent.yaml"], 3), (["--data-dir", ""], 64), (["--bogus"], 64)]
        )
        func exitCodes(arguments: [String], code: Int) async throws {
            let result = try await TidepoolProcess.run(["quota"] + arguments)
            #expect(result.status == .exited(Int32(code)), "\(result)")
        }
    }
}
