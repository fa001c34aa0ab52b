import FoundationEssentials
import Glibc
import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("Start, stop and crash")
    struct LifecycleTests {
        @Test("SIGTERM says not ready, lets answers under way end, answers new ones, and exits 0")
        func drains() async throws {
            let blob = Content(seed: 121, count: 2 << 20)
            try await Stage.run { stage in
                let barrier = Barrier()
                stage.hub.publish(blob, as: "library/big")
                stage.hub.script(RequestMatcher(.GET, role: .cdn), .stall(after: 1 << 20, until: barrier))
                let path = "/v2/library/big/blobs/\(blob.digest)"
                let exchange = try await stage.client.start("GET", path)
                await exchange.bodyBytes(atLeast: 1)
                stage.mirror.terminate()
                await expectDraining(stage)
                let late = try await stage.client.get("/v2/")
                #expect(late.status == 200 && late.headers["connection"] == ["close"])
                barrier.open()
                #expect(try await exchange.response().isExactly(blob))
                #expect(await stage.mirror.waitForExit() == .exited(0))
            }
        }

        @Test("a second signal cuts what is under way, and exits 0", arguments: [SIGTERM, SIGINT])
        func forced(second: Int32) async throws {
            let blob = Content(seed: 124, count: 2 << 20)
            let hub = try await ScriptedHub.start()
            let barrier = Barrier()
            hub.publish(blob, as: "library/big")
            hub.script(RequestMatcher(.GET, role: .cdn), .stall(after: 1 << 20, until: barrier))
            let mirror = try await TidepoolProcess.start(upstream: hub.endpoint)
            let exchange = try await mirror.client.start("GET", "/v2/library/big/blobs/\(blob.digest)")
            await exchange.bodyBytes(atLeast: 1)
            mirror.terminate()
            await expectDraining(Stage(hub: hub, mirror: mirror))
            mirror.signal(second)
            // Well before the answer, which waits for the barrier, or the time to drain (25 s).
            #expect(await mirror.waitForExit(within: .seconds(15)) == .exited(0))
            #expect(try await exchange.response().isComplete == false)
            #expect(mirror.log.contains("told again"))
            barrier.open()
            await hub.stop()
        }

        @Test("SIGTERM with nothing under way ends it by itself, an interrupt too", arguments: [SIGTERM, SIGINT])
        func idle(signal: Int32) async throws {
            let mirror = try await TidepoolProcess.start(upstream: "http://127.0.0.1:9")
            // Connections that do nothing hold nothing up.
            let idle = try await RawConnection.open(port: mirror.port)
            #expect(try await mirror.client.get("/v2/").status == 200)
            mirror.signal(signal)
            #expect(await mirror.waitForExit(within: .seconds(10)) == .exited(0))
            // After an interrupt it may be the kernel's still, which tells of a silent client when it speaks.
            if signal == SIGTERM { await idle.waitForClose() }
        }

        @Test("after kill -9 everything that was complete is served, with the Hub gone")
        func crash() async throws {
            let hub = try await ScriptedHub.start()
            let image = hub.publish(.multiPlatform(seed: 122), as: "library/app", tags: ["1"])
            let directory = try TemporaryDirectory("crash")
            let first = try await TidepoolProcess.start(upstream: hub.endpoint, in: directory)
            let paths = ["manifests/1"] + image.blobs.map { "blobs/\($0.digest)" }
            for path in paths { #expect(try await first.client.get("/v2/library/app/\(path)").status == 200) }
            try await first.client.waitUntilStored(blobs: image.blobs.count)
            await first.kill()
            await hub.stop()
            let second = try await TidepoolProcess.start(upstream: hub.endpoint, in: directory)
            #expect(try await second.client.get("/v2/library/app/manifests/1").isExactly(image.manifest.content))
            for blob in image.blobs {
                let response = try await second.client.get("/v2/library/app/blobs/\(blob.digest)")
                #expect(response.isExactly(blob), "\(response.status) \(response.text.prefix(300))\n\(second.log)")
            }
            second.terminate()
            #expect(await second.waitForExit() == .exited(0))
        }

        @Test("kill -9 in the middle of a transfer leaves nothing wrong behind")
        func crashInTransfer() async throws {
            let blob = Content(seed: 123, count: 4 << 20)
            let hub = try await ScriptedHub.start()
            let barrier = Barrier()
            hub.publish(blob, as: "library/big")
            hub.script(RequestMatcher(.GET, role: .cdn), .stall(after: 1 << 20, until: barrier))
            let directory = try TemporaryDirectory("crash")
            let first = try await TidepoolProcess.start(upstream: hub.endpoint, in: directory)
            let path = "/v2/library/big/blobs/\(blob.digest)"
            await (try first.client.start("GET", path)).bodyBytes(atLeast: 1)
            await first.kill()
            barrier.open()
            let second = try await TidepoolProcess.start(upstream: hub.endpoint, in: directory)
            #expect(try await second.client.get(path).isExactly(blob))
            second.terminate()
            #expect(await second.waitForExit() == .exited(0))
            #expect(directory.files(under: "data/spool").isEmpty)
            await hub.stop()
        }

        @Test("a second mirror on the same data refuses, naming the owner")
        func dataDirectoryTaken() async throws {
            try await Stage.run { stage in
                let result = try await TidepoolProcess.run([
                    "serve", "--config", stage.mirror.directory.path("tidepool.yaml"), "--listen", "127.0.0.1:0",
                ])
                #expect(result.status == .exited(2), "\(result)")
                #expect(result.errors.contains("\(stage.mirror.identifier)"), "\(result)")
                #expect(result.errors.contains(stage.mirror.dataDirectory), "\(result)")
                #expect(try await stage.client.get("/v2/").status == 200)
            }
        }

        @Test("one that waits for the data directory ends when it is told to", arguments: [SIGTERM, SIGINT])
        func endsWhileWaiting(signal: Int32) async throws {
            try await Stage.run { stage in
                let output = try TemporaryDirectory("waiting")
                let settings = stage.mirror.directory.path("tidepool.yaml")
                let waiting = try await TidepoolProcess.launch(
                    ["serve", "--config", settings, "--listen", "127.0.0.1:0", "--lock-wait", "10m"],
                    in: output
                )
                // Before that a signal would end it anyway.
                try await waitUntil("the signals are looked for") {
                    Self.handled(waiting.identifier) & 1 << (SIGTERM - 1) != 0
                }
                try await waitUntil("it ended") {
                    waiting.signal(signal)
                    return !waiting.isRunning
                }
                #expect(await waiting.waitForExit() == .exited(0), "\(output.read("stderr.log"))")
            }
        }

        /// The signals that do not end a process by themselves, a bit for each.
        private static func handled(_ process: pid_t) -> UInt64 {
            let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
            let lines = status?.split(separator: "\n").filter { $0.hasPrefix("SigIgn:") || $0.hasPrefix("SigCgt:") }
            return (lines ?? [])
                .reduce(0) { $0 | ($1.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0) }
        }

        @Test("a port that is taken is named")
        func portTaken() async throws {
            try await Stage.run { stage in
                var options = TidepoolProcess.Options()
                options.port = stage.mirror.port
                let result = try await serve(options, in: TemporaryDirectory("taken"))
                #expect(result.status == .exited(2), "\(result)")
                #expect(result.errors.contains("127.0.0.1:\(stage.mirror.port)"), "\(result)")
            }
        }

        @Test("a data directory that cannot be written is named")
        func unwritable() async throws {
            let directory = try TemporaryDirectory("unwritable")
            // A file in its place: also root cannot write there.
            try directory.write("", to: "data")
            let result = try await serve(TidepoolProcess.Options(), in: directory)
            #expect(result.status == .exited(2), "\(result)")
            #expect(result.errors.contains(directory.path("data")), "\(result)")
        }

        @Test(
            "all mistakes of a configuration are told at once, with their lines; exit 3",
            arguments: ["serve", "check-config"]
        )
        func badConfiguration(command: String) async throws {
            let directory = try TemporaryDirectory("bad")
            let text = """
                listen:
                  - address: nonsense
                data_dri: /tmp/x
                upstreams:
                  docker.io:
                    tag_tll: 5s
                    stale_if_error: soon
                cache: { max_size: 50GBB }

                """
            let path = try directory.write(text, to: "bad.yaml")
            let arguments = command == "serve" ? ["serve", "--config", path] : ["check-config", path]
            let result = try await TidepoolProcess.run(arguments)
            #expect(result.status == .exited(3), "\(result)")
            for (line, word) in [(2, "nonsense"), (3, "data_dir"), (6, "tag_ttl"), (7, "soon"), (8, "50GBB")] {
                let told = result.errors.split(separator: "\n")
                    .contains { $0.contains("bad.yaml:\(line)") && $0.contains(word) }
                #expect(told, "line \(line), \(word): \(result.errors)")
            }
        }

        @Test("health is 0 for a mirror that runs and 1 for one that does not")
        func health() async throws {
            try await Stage.run { stage in
                let url = "http://\(stage.mirror.authority)"
                #expect(try await TidepoolProcess.run(["health", url]).status == .exited(0))
                #expect(try await stage.client.get("/healthz").status == 200)
                #expect(try await stage.client.get("/readyz").status == 200)
                let nobody = try await FreePort.find()
                #expect(try await TidepoolProcess.run(["health", "http://127.0.0.1:\(nobody)"]).status == .exited(1))
            }
        }

        @Test("the mirror starts and is ready while the Hub is down")
        func startsWithoutHub() async throws {
            let hub = try await ScriptedHub.start()
            await hub.stop()
            let mirror = try await TidepoolProcess.start(upstream: hub.endpoint)
            #expect(try await mirror.client.get("/readyz").status == 200)
            let response = try await mirror.client.get("/v2/library/app/manifests/1")
            #expect(response.status == 503 && response.isError("UNAVAILABLE"), "\(response.status) \(response.text)")
            #expect(response.headers["retry-after"].first.flatMap { Int($0) } != nil)
            mirror.terminate()
            #expect(await mirror.waitForExit() == .exited(0))
        }

        private func serve(
            _ options: TidepoolProcess.Options,
            in directory: TemporaryDirectory
        ) async throws -> CommandResult {
            let path = try TidepoolProcess.writeConfiguration(upstream: "http://127.0.0.1:9", options, in: directory)
            return try await TidepoolProcess.run(["serve", "--config", path])
        }

        /// Returns when the mirror says that it drains.
        private func expectDraining(_ stage: Stage) async {
            for _ in 0..<500 {
                if let response = try? await stage.client.get("/readyz"), response.status == 503 {
                    #expect(response.text == "draining\n")
                    return
                }
                try? await Task.sleep(for: .milliseconds(10))
            }
            Issue.record("the mirror is still ready after SIGTERM")
        }
    }
}
