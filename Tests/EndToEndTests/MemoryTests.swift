import FoundationEssentials
import Locking
import MirrorTesting
import Testing

extension EndToEnd {
    @Suite("Memory")
    struct MemoryTests {
        /// `TIDEPOOL_MEMORY_TEST_MIB=1024` for the size that the target is stated for.
        static let mebibytes =
            ProcessInfo.processInfo.environment["TIDEPOOL_MEMORY_TEST_MIB"].flatMap { Int($0) } ?? 256

        @Test(
            "64 clients pull a large blob, cold and then warm, in less than 64 MiB",
            .enabled(if: ClientTool.curl.isInstalled, "curl is not installed")
        )
        func largeBlob() async throws {
            let blob = Content(seed: 111, count: Self.mebibytes << 20)
            try await Stage.run { stage in
                stage.hub.publish(blob, as: "library/big")
                let path = "/v2/library/big/blobs/\(blob.digest)"
                for occasion in ["cold", "warm"] {
                    let peak = try await peakWhile(stage.mirror) { try await pull(path, blob, stage) }
                    print("resident, 64 clients, \(Self.mebibytes) MiB, \(occasion): \(peak >> 10) KiB")
                    #expect(peak < 64 << 20, "\(occasion): \(peak >> 10) KiB")
                }
                #expect(stage.hub.transfers(of: blob) == 1)
            }
        }

        /// 64 transfers at once by one curl process; each must be the whole blob.
        private func pull(_ path: String, _ blob: Content, _ stage: Stage) async throws {
            let url = "http://\(stage.mirror.authority)\(path)"
            let one = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}\\n", url]
            let result = try await Command.run(
                [ClientTool.curl.path, "-sS", "-Z", "--parallel-max", "64", "--parallel-immediate"]
                    + (0..<64).flatMap { _ in one },
                within: .seconds(150)
            )
            let lines = result.output.split(separator: "\n")
            #expect(lines.count == 64 && lines.allSatisfy { $0 == "200 \(blob.count)" }, "\(result.errors)")
        }

        /// The largest resident size that was seen while `body` ran.
        private func peakWhile(_ mirror: TidepoolProcess, _ body: () async throws -> Void) async throws -> Int {
            let peak = Locked(0)
            let sampler = Task {
                while !Task.isCancelled {
                    let now = mirror.residentBytes
                    peak.withLock { $0 = max($0, now) }
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
            defer { sampler.cancel() }
            try await body()
            return peak.withLock { $0 }
        }
    }
}
