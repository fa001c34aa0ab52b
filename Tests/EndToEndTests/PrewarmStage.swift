import FoundationEssentials
import Glibc
import MirrorTesting
import Testing

/// A scripted Hub, a data directory, and `tidepool prewarm` for it.
struct PrewarmStage {
    let hub: ScriptedHub
    let directory: TemporaryDirectory
    /// The settings file.
    let settings: String
    private let options: TidepoolProcess.Options

    /// Runs a test, and checks afterwards that the Hub was asked nothing odd and that no secret is anywhere.
    static func run(
        hub hubOptions: HubOptions = HubOptions(),
        tagTTL: String = "0s",
        _ configure: (inout TidepoolProcess.Options) throws -> Void = { _ in },
        _ body: (PrewarmStage) async throws -> Void
    ) async throws {
        let hub = try await ScriptedHub.start(hubOptions)
        let directory = try TemporaryDirectory("warm")
        var options = TidepoolProcess.Options()
        options.dockerHub = ["tag_ttl: \(tagTTL)"]
        try configure(&options)
        let settings = try TidepoolProcess.writeConfiguration(upstream: hub.endpoint, options, in: directory)
        let stage = PrewarmStage(hub: hub, directory: directory, settings: settings, options: options)
        do {
            try await body(stage)
        } catch {
            print("---- what the Hub was asked\n\(hub.log)")
            await hub.stop()
            throw error
        }
        await hub.stop()
        #expect(hub.complaints.isEmpty, "the Hub complains: \(hub.complaints)")
        #expect(directory.files(under: "data/spool").isEmpty, "something is left in the spool")
        #expect(SecretScan.leaks(of: hub.secrets, below: directory.path("data")) == [])
    }

    /// Writes the ocync file, and returns its path.
    @discardableResult
    func write(_ ocync: String) throws -> String { try directory.write(ocync, to: "ocync.yaml") }

    func prewarm(_ arguments: String..., environment: [String: String] = [:]) async throws -> CommandResult {
        let result = try await TidepoolProcess.run(command(arguments), environment: environment)
        let leaks = SecretScan.leaks(of: hub.secrets, in: ["stdout": result.output, "stderr": result.errors])
        #expect(leaks == [])
        return result
    }

    /// The words of a command line, after the binary.
    func command(_ arguments: [String]) -> [String] {
        ["prewarm", "--config", settings] + arguments + [directory.path("ocync.yaml")]
    }

    /// Runs a mirror on the same data directory while `body` does.
    func serving(_ body: (TidepoolProcess) async throws -> Void) async throws {
        let mirror = try await TidepoolProcess.start(upstream: hub.endpoint, options, in: directory)
        do {
            try await body(mirror)
        } catch {
            print("---- tidepool's log\n\(mirror.log)")
            await mirror.kill()
            throw error
        }
        mirror.signal(SIGINT)
        #expect(await mirror.waitForExit() == .exited(0), "\(mirror.log)")
    }

    /// The names of what is published here, as an ocync file has them.
    static let registries = """
        registries: { hub: { url: docker.io } }
        defaults:
          source: hub
          platforms: [linux/amd64]
          artifacts: { enabled: false }

        """
}

/// A plan or a report that was printed, as far as tests look at it.
struct PrintedPlan: Decodable {
    var mappings: [Mapping]
    var manifestReads: Int?
    var warnings: [String]

    struct Mapping: Decodable {
        var from: String
        var tags: [String]?
        var literal: Bool?
        var images: [Image]?
        var error: String?
    }

    struct Image: Decodable {
        var tag: String
        var cached: Bool
        var manifestReads: Int
    }

    init(_ result: CommandResult) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Self.self, from: Data(result.output.utf8))
    }
}
