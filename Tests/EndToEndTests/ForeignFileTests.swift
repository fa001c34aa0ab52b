import FoundationEssentials
import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("What others leave in the data directory")
    struct ForeignFileTests {
        private static let image = TestImage.single(seed: 4900)
        /// What a symbolic link in the cache points to.
        private static let outside = Content("not for clients")

        private static func path(_ digest: Digest) -> String {
            "data/blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)"
        }

        /// Names that no blob has, as they come about: by other systems, copies that broke off, and people.
        private static func litter(_ directory: TemporaryDirectory) throws {
            let hex = String(repeating: "ab", count: 32)
            for name in [
                "blobs/.DS_Store", "blobs/sha256/.DS_Store", "blobs/sha256/ab/.DS_Store",
                "blobs/sha256/ab/\(hex.dropLast())",
                "blobs/sha256/ab/\(hex)0", "blobs/sha256/ab/\(hex).part", "blobs/sha256/cd/\(hex)", "blobs/md5/ab/abcd",
                "blobs/sha256/AB/\(hex.uppercased())", "manifests/sha256/ab/.\(hex).swp", "spool/.DS_Store",
                "spool/sha256-\(hex)", "spool/sha256-\(hex)-xyz", "spool/new-1234", "spool/sha256-\(hex)-1.note",
            ] {
                try directory.write("junk", to: "data/\(name)")
            }
            for name in [
                "blobs/sha256/ef/\(String(repeating: "ef", count: 32))", "spool/sha256-\(hex)-2", "manifests/x",
            ] {
                try directory.makeDirectory("data/\(name)")
            }
            try directory.makeDirectory("outside")
            let target = directory.path("outside/file")
            try Data(outside.bytes).write(to: URL(filePath: target))
            let manager = FileManager.default
            try directory.makeDirectory("data/blobs/sha256/\(outside.digest.hex.prefix(2))")
            try manager.createSymbolicLink(atPath: directory.path(path(outside.digest)), withDestinationPath: target)
            let spool = directory.path("data/spool/sha256-\(outside.digest.hex)-3")
            try manager.createSymbolicLink(atPath: spool, withDestinationPath: target)
            let loop = directory.path("data/blobs/sha256/ab/\(hex)")
            try manager.createSymbolicLink(atPath: loop, withDestinationPath: loop)
        }

        @Test("neither stops it nor is served, and goes only from the spool, which is its own")
        func litter() async throws {
            let hub = try await ScriptedHub.start()
            hub.publish(Self.image, as: "library/app", tags: ["1"])
            hub.expectMissing(RequestMatcher(reference: "\(Self.outside.digest)"))
            var mirror = try await RestartingMirror(upstream: hub.endpoint, TidepoolProcess.Options())
            let paths = ["manifests/1"] + Self.image.blobs.map { "blobs/\($0.digest)" }
            for path in paths { #expect(try await mirror.client.get("/v2/library/app/\(path)").status == 200) }
            try await mirror.settle(blobs: Self.image.blobs.count, manifests: 1)
            try await mirror.end()
            let directory = mirror.process.directory
            try Self.litter(directory)
            let before = directory.files(under: "data/blobs").sorted()
            try await mirror.start()
            for blob in Self.image.blobs {
                #expect(try await mirror.client.get("/v2/library/app/blobs/\(blob.digest)").isExactly(blob))
            }
            #expect(try await mirror.client.get("/v2/library/app/blobs/\(Self.outside.digest)").status == 404)
            let settings = directory.path("tidepool.yaml")
            let verify = try await TidepoolProcess.run(["cache", "verify", "--json", "--config", settings])
            for name in [".DS_Store", "AB", "md5"] {
                #expect(verify.output.contains(name), "\(verify)")
            }
            #expect(try await TidepoolProcess.run(["cache", "gc", "--config", settings]).succeeded)
            try await mirror.settle(blobs: Self.image.blobs.count, manifests: 1)
            // A link where a blob of ours would be was asked for: it is put aside, and what it leads to is left alone.
            let link = Self.path(Self.outside.digest).dropFirst("data/blobs/".count)
            #expect(directory.files(under: "data/blobs").sorted() == before.filter { $0 != link })
            #expect(directory.bytes("outside/file") == Self.outside.bytes)
            #expect(directory.files(under: "data/spool").isEmpty, "\(directory.files(under: "data/spool"))")
            try await mirror.end()
            await hub.stop()
        }
    }
}
