import Locking
import MirrorCore
import NIOCore
import NIOPosix
import OCI
import Testing

@testable import RegistryHTTP

/// Blobs that an event loop holds open.
@Suite("Open blobs", .timeLimit(.minutes(1)))
struct OpenBlobsTests {
    private static let digest = Digest(repeating: 0xcd)
    private let registry = FakeRegistry()

    /// Runs on an event loop, whose blobs stay open for that long.
    private func onEventLoop<Value: Sendable>(
        holding time: TimeAmount = .minutes(5),
        _ body: @escaping @Sendable (OpenBlobs) throws -> Value
    ) async throws -> Value {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        return try await eventLoop.submit { try body(OpenBlobs(on: eventLoop, for: time)) }.get()
    }

    private func publish(_ digest: Digest = digest) throws -> TemporaryFile {
        let file = try TemporaryFile([1, 2, 3])
        registry.script.withLock { $0.cachedBlobs[digest] = file }
        return file
    }

    @Test("the registry is not asked again for a blob that was asked for again, until something is committed")
    func revision() async throws {
        let file = try publish()
        try await onEventLoop { [registry] blobs in
            let blob = KnownBlob(Self.digest)
            #expect(blobs.find(blob, of: registry) === file)
            for revision in 1...2 {
                registry.script.withLock { $0.revision = revision }
                for _ in 0..<3 { #expect(blobs.find(blob, of: registry) === file) }
                #expect(registry.calls.count == revision + 1)
            }
        }
    }

    @Test("a file that was touched is asked for again")
    func touched() async throws {
        let file = try publish()
        try await onEventLoop { [registry] blobs in
            let blob = KnownBlob(Self.digest)
            for _ in 0..<2 { #expect(blobs.find(blob, of: registry) === file) }
            file.append([4], at: 3)
            let other = try TemporaryFile([1, 2, 3])
            registry.script.withLock { $0.cachedBlobs[Self.digest] = other }
            #expect(blobs.find(blob, of: registry) === other)
        }
    }

    @Test("a blob that is gone is found no longer, and its file let go")
    func gone() async throws {
        let isLetGo = try await onEventLoop { [registry] blobs in
            let blob = KnownBlob(Self.digest)
            weak let file = try Self.publish(in: registry)
            for _ in 0..<2 { #expect(blobs.find(blob, of: registry) != nil) }
            registry.script.withLock { script in
                script.cachedBlobs = [:]
                script.revision = 2
            }
            #expect(file != nil)
            #expect(blobs.find(blob, of: registry) == nil)
            return file == nil
        }
        #expect(isLetGo)
    }

    /// Publishes a file that only the registry, and who found it there, holds.
    private static func publish(in registry: FakeRegistry) throws -> TemporaryFile {
        let file = try TemporaryFile([1, 2, 3])
        registry.script.withLock { $0.cachedBlobs[digest] = file }
        return file
    }

    @Test("a file is let go when its time is over, though nobody asks")
    func time() async throws {
        final class Weak: Sendable {
            nonisolated(unsafe) weak var file: TemporaryFile?
        }
        let held = Weak()
        // Here, so that it is not the blob's end that lets the file go.
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let blob = NIOLoopBoundBox.makeBoxSendingValue(KnownBlob(Self.digest), eventLoop: eventLoop)
        try await blob.eventLoop
            .submit { [registry] in
                held.file = try Self.publish(in: registry)
                let blobs = OpenBlobs(on: blob.eventLoop, for: .milliseconds(10))
                for _ in 0..<2 { #expect(blobs.find(blob.value, of: registry) != nil) }
                registry.script.withLock { $0.cachedBlobs = [:] }
                #expect(held.file != nil)
            }
            .get()
        try await eventually { held.file == nil }
        withExtendedLifetime(blob) {}
    }

    @Test("only so many are held, and the others asked for each time")
    func bound() async throws {
        let file = try TemporaryFile([1])
        try await onEventLoop { [registry] blobs in
            let known = (0...OpenBlobs.mostHeld).map { KnownBlob(Digest(repeating: UInt8($0))) }
            registry.script.withLock { script in
                for blob in known { script.cachedBlobs[blob.digest] = file }
            }
            for _ in 0..<3 {
                for blob in known { #expect(blobs.find(blob, of: registry) === file) }
            }
            #expect(registry.calls.count == 2 * known.count + 1)
        }
    }
}

extension OpenBlobs {
    fileprivate func find(_ blob: KnownBlob, of registry: FakeRegistry) -> (any StoredFile)? {
        guard let name = try? RepositoryName("library/nginx") else { return nil }
        let repository = Repository(upstream: .dockerHub, name: name)
        return stored(blob, in: repository, for: Caller(address: "test"), of: registry)?.file
    }
}
