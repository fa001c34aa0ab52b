import MirrorTesting
import Testing

/// A mirror that can end, in good order or in a crash, and go on with its data in a new process.
protocol RestartableMirror {
    var client: TestClient { get }
    /// Returns when everything that clients got is stored.
    func settle(blobs: Int, manifests: Int) async throws
    mutating func restart() async throws
    /// Ends it by SIGKILL and starts it again.
    mutating func crash() async throws
}

/// The mirror that is tested.
struct RestartingMirror: RestartableMirror {
    private let upstream: String
    private let options: TidepoolProcess.Options
    private(set) var process: TidepoolProcess

    init(upstream: String, _ options: TidepoolProcess.Options) async throws {
        self.upstream = upstream
        self.options = options
        process = try await TidepoolProcess.start(upstream: upstream, options)
    }

    var client: TestClient { process.client }

    func settle(blobs: Int, manifests: Int) async throws {
        try await client.waitUntilStored(blobs: blobs, manifests: manifests)
    }

    mutating func restart() async throws {
        try await end()
        try await start()
    }

    mutating func crash() async throws {
        await process.kill()
        try await start()
    }

    func end() async throws {
        process.terminate()
        let status = await process.waitForExit()
        #expect(status == .exited(0), "tidepool ended with \(String(describing: status)):\n\(process.log)")
    }

    private mutating func start() async throws {
        process = try await TidepoolProcess.start(upstream: upstream, options, in: process.directory)
    }
}

/// `docker-registry` in proxy mode, to compare with.
struct RestartingRegistry: RestartableMirror {
    private let upstream: String
    private(set) var process: PlainRegistry

    init(upstream: String) async throws {
        self.upstream = upstream
        process = try await PlainRegistry.start(proxyOf: upstream)
    }

    var client: TestClient { process.client }

    func settle(blobs: Int, manifests: Int) {}

    mutating func restart() async throws {
        await process.stop()
        try await start()
    }

    mutating func crash() async throws {
        await process.kill()
        try await start()
    }

    private mutating func start() async throws {
        process = try await PlainRegistry.start(proxyOf: upstream, in: process.directory)
    }
}
