import MirrorTesting
import NIOHTTP1
import OCI
import Testing

/// One mirror for all cells of the matrix, with an upstream for each way of failing.
///
/// Upstreams are apart so that the circuit breaker or a pause of one does not play in the cells of another. The cache is
/// filled by a first process, while all is well; a second one meets the failures.
struct DegradationStage: Sendable {
    typealias Cell = DegradationMatrix.Cell
    typealias Failure = DegradationMatrix.Failure

    @TaskLocal static var current: DegradationStage?

    let hub: ScriptedHub
    let mirror: TidepoolProcess
    private let images: [Cell: TestImage]

    /// The upstream's name in the settings: blobs and stale tags have one of their own.
    static func upstream(of cell: Cell) -> String {
        let part =
            switch cell.subject {
            case .staleTag: "stale"
            case .absentBlob: "blob"
            default: "other"
            }
        return "\(cell.failure)-\(part).test".lowercased()
    }

    func image(of cell: Cell) -> TestImage {
        guard let image = images[cell] else { fatalError("no image for \(cell)") }
        return image
    }

    /// The mirror's path for a cell's request.
    func path(of cell: Cell) -> String {
        let repository = "/v2/\(Self.upstream(of: cell))/cell/\(cell.name)"
        let image = image(of: cell)
        return switch cell.subject {
        case .freshTag, .staleTag, .absentTag: "\(repository)/manifests/1"
        case .cachedDigest, .absentDigest: "\(repository)/manifests/\(image.digest)"
        case .cachedBlob, .absentBlob: "\(repository)/blobs/\(image.largestBlob.digest)"
        }
    }

    func content(of cell: Cell) -> Content {
        cell.subject.isBlob ? image(of: cell).largestBlob : image(of: cell).manifest.content
    }

    /// How many requests an upstream has had for a cell, by the registry's own log where they reach it.
    ///
    /// Challenges are not counted: they are a part of the next request.
    func requests(for cell: Cell) async throws -> Int {
        guard cell.failure.reachesRegistry else { return try await attempts(at: Self.upstream(of: cell)) }
        let digest = "\(image(of: cell).largestBlob.digest)"
        return hub.log.entries.count { entry in
            let isChallenge = entry.status == 401 && entry.request.authorization == nil
            let target = entry.request.target
            let isTransfer = cell.subject.isBlob && entry.request.role == .cdn && target.reference == digest
            return target.repository == "cell/\(cell.name)" && !isChallenge || isTransfer
        }
    }

    /// What the mirror says that it has sent to a registry that cannot be reached.
    private func attempts(at upstream: String) async throws -> Int {
        try await mirror.client.get("/metrics").text.split(separator: "\n")
            .filter { $0.hasPrefix("tidepool_upstream_requests_total{upstream=\"\(upstream)\"") }
            .filter { !$0.contains("kind=\"token\"") && !$0.contains("status=\"401\"") }
            .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
            .reduce(0, +)
    }

    // MARK: - Setting up

    /// Fills a cache while all is well, and runs `body` with a mirror that meets the failures.
    static func with(_ body: () async throws -> Void) async throws {
        let registries = try await FailingRegistries.start()
        let directory = try TemporaryDirectory("matrix")
        let images = try await fill(directory, from: registries.hub)
        for (cell, image) in images { registries.breakDown(cell, image) }
        let failing = settings(registries.endpoint)
        let mirror = try await TidepoolProcess.start(upstream: registries.hub.endpoint, failing, in: directory)
        let stage = DegradationStage(hub: registries.hub, mirror: mirror, images: images)
        do {
            try await $current.withValue(stage, operation: body)
            try await stage.checkEnd()
        } catch {
            print("---- tidepool's log\n\(mirror.log)")
            await mirror.kill()
            throw error
        }
        await registries.stop()
    }

    /// Publishes an image for every cell, and pulls what the cells want to be cached.
    private static func fill(
        _ directory: TemporaryDirectory,
        from hub: ScriptedHub
    ) async throws -> [Cell: TestImage] {
        let images = Dictionary(
            uniqueKeysWithValues: DegradationMatrix.cells.enumerated()
                .map { number, cell in (cell, TestImage.single(seed: UInt64(50_000 + number), layers: [200_000])) }
        )
        for (cell, image) in images { hub.publish(image, as: "cell/\(cell.name)", tags: ["1"]) }
        let healthy = settings { _ in hub.endpoint }
        let mirror = try await TidepoolProcess.start(upstream: hub.endpoint, healthy, in: directory)
        try await DegradationStage(hub: hub, mirror: mirror, images: images).fill()
        mirror.terminate()
        #expect(await mirror.waitForExit() == .exited(0), "\(mirror.log)")
        return images
    }

    private static func settings(_ endpoint: (Failure) -> String) -> TidepoolProcess.Options {
        var options = TidepoolProcess.Options()
        // The proxy that stands for the internet would resolve names itself.
        options.environment = ["NO_PROXY": "*", "no_proxy": "*"]
        for failure in Failure.allCases {
            for part in ["stale", "blob", "other"] {
                options.otherUpstreams += [
                    "  \(failure)-\(part).test:".lowercased(),
                    "    endpoint: \(endpoint(failure))",
                    "    tag_ttl: \(part == "stale" ? "1ms" : "1h")",
                    "    retries: 1",
                    "    timeouts: { connect: 1s, head: 400ms, stall: 1s, answer_within: 2s, revalidate_within: 1s }",
                ]
                if failure == .credentials {
                    let account = FailingRegistries.account
                    options.otherUpstreams += [
                        "    auth: basic",
                        "    credentials: { username: \(account.user), password: \(account.password) }",
                    ]
                }
            }
        }
        return options
    }

    /// Brings the cache into the state that each cell is about.
    private func fill() async throws {
        var blobs = 0
        for cell in images.keys where cell.subject.isCached || cell.subject == .staleTag {
            let response = try await mirror.client.get(path(of: cell))
            try #require(response.isExactly(content(of: cell)), "\(cell): \(response)")
            if cell.subject.isBlob { blobs += 1 }
        }
        try await mirror.client.waitUntilStored(blobs: blobs)
    }

    /// What must hold after any test.
    private func checkEnd() async throws {
        mirror.terminate()
        let status = await mirror.waitForExit()
        #expect(status == .exited(0), "tidepool ended with \(String(describing: status)):\n\(mirror.log)")
        #expect(hub.complaints.isEmpty, "the Hub complains: \(hub.complaints)")
        // What a broken transfer has left is for the next, unless there is the whole blob.
        let stored = mirror.directory.files(under: "data/blobs").compactMap { $0.split(separator: "/").last }
        for spool in mirror.directory.files(under: "data/spool") {
            #expect(!stored.contains { spool.contains($0) }, "\(spool) is of no use")
        }
        #expect(SecretScan.leaks(of: hub.secrets, in: ["log": mirror.log]) == [])
        #expect(SecretScan.leaks(of: hub.secrets, below: mirror.dataDirectory) == [])
    }
}

/// Starts the stage once, for all tests of a suite.
struct OnDegradationStage: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await DegradationStage.with(function)
    }
}
