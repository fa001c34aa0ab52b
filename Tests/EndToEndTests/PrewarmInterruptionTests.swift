import FoundationEssentials
import Glibc
import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("tidepool prewarm that is ended, and in cron")
    struct PrewarmInterruptionTests {
        private static let images = (1...3)
            .map { TestImage.multiPlatform(seed: UInt64(1500 + $0), layers: [2000, 400_000]) }

        private static func publish(_ stage: PrewarmStage) throws {
            var mappings = ""
            for (number, image) in images.enumerated() {
                stage.hub.publish(image, as: "team/c\(number)", tags: ["1"])
                mappings += "  - { from: team/c\(number), tags: { glob: \"1\" } }\n"
            }
            try stage.write(PrewarmStage.registries + "mappings:\n" + mappings)
        }

        /// The index and linux/amd64 of each.
        private static let reads = 6

        private static var blobs: [Content] { images.flatMap(\.amd64Blobs) }

        @Test("ended in the middle, the next run fetches only what was missing", arguments: [SIGKILL, SIGTERM, SIGINT])
        func ended(by signal: Int32) async throws {
            try await PrewarmStage.run { stage in
                try Self.publish(stage)
                let held = Self.images[1].amd64Blobs.max { $0.count < $1.count } ?? Self.images[1].largestBlob
                let barrier = Barrier()
                stage.hub.script(
                    RequestMatcher(.GET, role: .cdn, reference: "\(held.digest)"),
                    .stall(after: 200_000, until: barrier)
                )
                let process = try await TidepoolProcess.launch(stage.command([]), in: stage.directory)
                await barrier.arrivals()
                // The others are here by then, and the half of this one.
                try await waitUntil("all but one blob are stored") {
                    stage.directory.files(under: "data/blobs").count == Self.blobs.count - 1
                }
                process.signal(signal)
                let status = await process.waitForExit(within: .seconds(30))
                barrier.open()
                stage.hub.clearScript()
                if signal == SIGKILL {
                    #expect(status == .signalled(SIGKILL))
                } else {
                    #expect(status == .exited(1))
                    let errors = stage.directory.read("stderr.log")
                    #expect(errors.contains("stopped by a signal; left for the next run: team/c1:1"), "\(errors)")
                }
                let second = try await stage.prewarm()
                #expect(second.succeeded, "\(second)")
                #expect(stage.hub.manifestReads() == Self.reads)
                for blob in Self.blobs where blob.digest != held.digest {
                    #expect(stage.hub.transfers(of: blob) == 1)
                }
                #expect(stage.hub.transfers(of: held) == 2)
                #expect(stage.directory.files(under: "data/blobs").count == Self.blobs.count)
            }
        }

        @Test("works in cron's environment, with a line for each image, an exit code, and only what is wrong on stderr")
        func cron() async throws {
            try await PrewarmStage.run { stage in
                try Self.publish(stage)
                let line =
                    "\(try TidepoolProcess.binary()) prewarm --config \(stage.settings) \(stage.directory.path("ocync.yaml"))"
                let environment = [
                    "HOME": stage.directory.path, "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "root",
                ]
                let first = try await Command.run(["/bin/sh", "-c", line], environment: environment)
                #expect(first.succeeded && first.errors.isEmpty, "\(first)")
                let lines = first.output.split(separator: "\n")
                #expect(lines.count == 5, "\(first)")
                #expect(lines.filter { $0.contains(": fetched ") }.count == 3)
                #expect(lines.last?.hasPrefix("3 images: 3 fetched; 6 manifest reads, ") == true)
                #expect(!first.output.contains("\u{1b}"))
                let second = try await Command.run(["/bin/sh", "-c", "\(line) >/dev/null"], environment: environment)
                #expect(second.succeeded && second.errors.isEmpty && second.output.isEmpty, "\(second)")
                stage.hub.removeTag("1", of: "team/c0")
                stage.hub.expectMissing(RequestMatcher(.HEAD, repository: "team/c0"))
                let third = try await Command.run(["/bin/sh", "-c", "\(line) >/dev/null"], environment: environment)
                #expect(third.status != .exited(0) && third.errors.contains("team/c0"), "\(third)")
            }
        }

        @Test("a terminal gets bars within its width, and its cursor back")
        func terminal() async throws {
            guard let script = Command.find("script") else { return }
            try await PrewarmStage.run { stage in
                try Self.publish(stage)
                let barrier = Barrier()
                let held = Self.images[0].amd64Blobs.max { $0.count < $1.count } ?? Self.images[0].largestBlob
                stage.hub.script(
                    RequestMatcher(.GET, role: .cdn, reference: "\(held.digest)"),
                    .stall(after: 200_000, until: barrier)
                )
                let words = [try TidepoolProcess.binary()] + stage.command([])
                let line = "stty columns 80 rows 24; \(words.joined(separator: " "))"
                let process = try await ChildProcess.launch(
                    [script, "--quiet", "--return", "--flush", "--command", line, stage.directory.path("typescript")],
                    environment: Command.isolated.merging(["HOME": stage.directory.path]) { $1 },
                    output: stage.directory.path("screen"),
                    errors: stage.directory.path("errors")
                )
                await barrier.arrivals()
                try await waitUntil("a bar is drawn") { stage.directory.read("screen").contains("team/c0:1") }
                try await waitUntil("a bar moves") { stage.directory.read("screen").contains("kB of ") }
                barrier.open()
                #expect(await process.waitForExit(within: .seconds(30)) == .exited(0))
                let screen = stage.directory.read("screen")
                let hidden = try #require(screen.firstRange(of: "\u{1b}[?25l"))
                let shown = try #require(screen[hidden.upperBound...].firstRange(of: "\u{1b}[?25h"))
                #expect(!screen[shown.upperBound...].contains("?25l"))
                for frame in screen.split(separator: "\u{1b}[?2026h") {
                    for row in frame.split(whereSeparator: \.isNewline)
                    where row.contains("[#") || row.contains("fetched,") {
                        let text = row.replacing(/\u{1b}\[[?0-9]*[A-Za-z]/, with: "")
                        #expect(text.count < 80, "\(text)")
                    }
                }
            }
        }
    }
}
