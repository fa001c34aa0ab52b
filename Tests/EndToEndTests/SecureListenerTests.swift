import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite(
        "Real clients pull over TLS",
        .enabled(if: ClientTool.openssl.isInstalled && ClientTool.curl.isInstalled, "openssl or curl is missing")
    )
    struct SecureListenerTests {
        private static let blob = Content(seed: 1501, count: 6 << 20)
        private static let path = "/v2/library/big/blobs/\(blob.digest)"

        /// Runs a test with a mirror that has a plain listener and one with TLS, whose host and port the body gets.
        private func run(_ body: (Stage, TestAuthority, String) async throws -> Void) async throws {
            let authority = try await TestAuthority()
            try await Stage.run { _, options in
                options.listeners = [authority.listener]
            } _: { stage in
                let line = try #require(stage.mirror.log.split(separator: "\n").first { $0.contains("https://") })
                try await body(stage, authority, String(line.split(separator: "/").last ?? ""))
            }
        }

        private func curl(
            _ authority: TestAuthority,
            _ url: String,
            to output: String,
            _ more: [String] = []
        )
            -> [String]
        {
            let options = ["--silent", "--show-error", "--fail", "--no-buffer", "--cacert", authority.certificate]
            return [ClientTool.curl.path] + options + more + ["--output", output, url]
        }

        @Test("a blob that is being fetched comes as it grows, whole, and then from the cache, ranges too")
        func blobs() async throws {
            try await run { stage, authority, address in
                let barrier = Barrier()
                stage.hub.publish(Self.blob, as: "library/big")
                stage.hub.script(RequestMatcher(.GET, role: .cdn), .stall(after: 1 << 20, until: barrier))
                let files = try TemporaryDirectory("curl")
                let url = "https://\(address)\(Self.path)"
                let cold = try await ChildProcess.launch(
                    curl(authority, url, to: files.path("cold")),
                    environment: Command.isolated,
                    output: files.path("out"),
                    errors: files.path("err")
                )
                try await waitUntil("bytes came before the transfer ended") { !files.bytes("cold").isEmpty }
                barrier.open()
                #expect(await cold.waitForExit() == .exited(0), "\(files.read("err"))")
                #expect(Content.digest(of: files.bytes("cold")) == Self.blob.digest)

                let warm = try await Command.run(curl(authority, url, to: files.path("warm")))
                #expect(warm.succeeded && Content.digest(of: files.bytes("warm")) == Self.blob.digest, "\(warm)")
                let range = ["--range", "1000000-1999999"]
                let part = try await Command.run(curl(authority, url, to: files.path("part"), range))
                #expect(part.succeeded && files.bytes("part") == Self.blob[1_000_000..<2_000_000], "\(part)")
                #expect(stage.hub.transfers(of: Self.blob) == 1)
            }
        }

        @Test("skopeo copies an image", .enabled(if: ClientTool.skopeo.isInstalled, "skopeo is not installed"))
        func skopeo() async throws {
            try await run { stage, authority, address in
                let image = stage.hub.publish(.multiPlatform(seed: 1502), as: "library/app", tags: ["1"])
                let copy = try TemporaryDirectory("copy")
                let result = try await Skopeo(registries: "")
                    .copyDirectly("\(address)/library/app:1", to: copy, trusting: authority)
                try #require(result.succeeded, "\(result)")
                for blob in image.blobs { #expect(Content.digest(of: copy.bytes(blob.digest.hex)) == blob.digest) }
            }
        }

        @Test("a client that does not trust the certificate harms nobody else")
        func distrust() async throws {
            try await run { stage, authority, address in
                let files = try TemporaryDirectory("curl")
                let stranger = try await TestAuthority()
                let url = "https://\(address)/v2/"
                #expect(try await !Command.run(curl(stranger, url, to: files.path("x"))).succeeded)
                #expect(try await Command.run(curl(authority, url, to: files.path("y"))).succeeded)
            }
        }
    }
}
