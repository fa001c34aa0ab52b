import Glibc
import Locking
import Logging
import MirrorTesting
import OCI

@testable import MirrorCore

/// A mirror over ports in memory, with a clock that tests turn.
struct Bench {
    let hub = FakeUpstream()
    let other = FakeUpstream(UpstreamName("ghcr.io"))
    /// A content source, for those tests whose policy names it.
    let source = FakeUpstream(UpstreamName("mirror.example"))
    let ledger = ScriptedLedger()
    let log = CollectedLog()
    let store = MemoryBlobStore()
    let index = MemoryCacheIndex()
    let clock = ManualClock()
    let metrics = Metrics()
    let mirror: PullThrough
    let caller = Caller(address: "127.0.0.1")

    init(space: SpaceLimits = SpaceLimits(), _ change: (inout UpstreamPolicy) -> Void = { _ in }) {
        var policy = UpstreamPolicy()
        change(&policy)
        mirror = PullThrough(
            directory: UpstreamDirectory(
                upstreams: [.dockerHub: ["dockerhub"], UpstreamName("ghcr.io"): []],
                defaultUpstream: .dockerHub
            ),
            upstreams: [.dockerHub: hub, other.name: other],
            policies: [.dockerHub: policy, other.name: policy],
            contentSources: [source.name: source],
            store: store,
            index: index,
            space: space,
            ledger: ledger,
            time: clock.timekeeper,
            metrics: metrics,
            logger: log.logger
        )
    }

    func repository(_ path: String) throws -> Repository {
        try mirror.resolve(path: path, prefix: nil, namespace: nil)
    }

    /// What a client gets: from the cache if that can answer, else the long way.
    func manifest(
        _ reference: String,
        _ path: String = "nginx",
        headOnly: Bool = false,
        for purpose: Purpose = .pull
    ) async throws -> (head: ManifestHead, bytes: [UInt8]?) {
        var caller = caller
        caller.purpose = purpose
        let repository = try repository(path)
        let reference = try Reference(reference)
        let cached = mirror.cachedManifest(reference, in: repository, for: caller) {
            head,
            content -> (ManifestHead, [UInt8]?) in
            switch content {
            case .bytes(let span): (head, (0..<span.count).map { span[$0] })
            case .file(let file): (head, contents(of: file, 0..<head.size))
            case .absent: (head, nil)
            }
        }
        if let cached, headOnly || cached.1 != nil { return cached }
        let answer = try await mirror.manifest(reference, in: repository, headOnly: headOnly, for: caller)
        // A stale answer leaves a check behind that a test may be holding back.
        let isStale = if case .stale = answer.head.outcome { true } else { false }
        if !isStale { await settled() }
        switch answer.content {
        case .bytes(let bytes): return (answer.head, bytes)
        case .file(let file): return (answer.head, contents(of: file, 0..<answer.head.size))
        case nil: return (answer.head, nil)
        }
    }

    /// Waits until nothing is under way: clients have their answers before these are written down.
    func settled() async {
        while !mirror.isIdle { await Task.yield() }
    }

    func blob(_ digest: Digest, _ path: String = "nginx", _ range: Range<Int>? = nil) async throws -> [UInt8] {
        let repository = try repository(path)
        if let file = mirror.cachedBlob(digest, in: repository, for: caller) {
            return contents(of: file, range ?? 0..<file.size)
        }
        switch try await mirror.blob(digest, in: repository, for: caller) {
        case .stored(let file, _): return contents(of: file, range ?? 0..<file.size)
        case .growing(let blob, _): return try await drain(blob, range ?? 0..<(blob.length ?? .max))
        }
    }

    func isStored(_ digest: Digest) -> Bool { index.blobSize(digest) != nil }
}

/// Reads a range through a reader to its end.
func drain(_ blob: any GrowingBlob, _ range: Range<Int>) async throws -> [UInt8] {
    let client = SlowClient(blob, range)
    try await client.readToEnd()
    return client.bytes
}

/// A client of a growing blob, which reads when a test says so.
final class SlowClient {
    private let reader: any GrowingBlobReader
    private(set) var bytes: [UInt8] = []

    init(_ blob: any GrowingBlob, _ range: Range<Int>) {
        reader = blob.reader(of: range)
    }

    /// Takes what there is; `true` when that was all.
    func takeAvailable() throws -> Bool {
        while true {
            switch reader.next(wake: {}) {
            case .send(let file, let range): bytes += contents(of: file, range)
            case .sendBytes(let piece): bytes += piece
            case .wait: return false
            case .finished: return true
            case .failed(let error): throw error
            }
        }
    }

    /// Reads until so many bytes have come.
    func read(upTo count: Int) async throws {
        while bytes.count < count { try await step() }
    }

    func readToEnd() async throws {
        while try await !step() {}
    }

    @discardableResult
    private func step() async throws -> Bool {
        let (stream, wake) = AsyncStream<Void>.makeStream()
        switch reader.next(wake: { wake.yield() }) {
        case .send(let file, let range): bytes += contents(of: file, range)
        case .sendBytes(let piece): bytes += piece
        case .wait: for await _ in stream { break }
        case .finished: return true
        case .failed(let error): throw error
        }
        return false
    }
}

func contents(of file: any StoredFile, _ range: Range<Int>) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: range.count)
    let count = pread(file.descriptor, &buffer, range.count, off_t(range.lowerBound))
    return Array(buffer.prefix(max(0, count)))
}

/// A clock that stands until it is turned; sleepers wake when it has passed their time.
final class ManualClock: Sendable {
    private struct State {
        var now = Duration.seconds(1_000)
        var sleepers: [(until: Duration, id: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var cancelled: Set<Int> = []
        var nextID = 0
    }
    private let state = Locked(State())

    var timekeeper: Timekeeper {
        Timekeeper(
            wall: { WallTime(milliseconds: 1_700_000_000_000 + self.now.wholeMilliseconds) },
            monotonic: { self.now },
            sleep: { await self.sleep($0) }
        )
    }

    var now: Duration { state.withLock { $0.now } }

    /// Whether anybody waits for the clock.
    var hasSleepers: Bool { state.withLock { !$0.sleepers.isEmpty } }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now += duration
            let now = state.now
            defer { state.sleepers.removeAll { $0.until <= now } }
            return state.sleepers.filter { $0.until <= now }.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    /// Short sleeps (back-off, wakes) pass by themselves; long ones (deadlines) wait for ``advance(by:)``.
    private func sleep(_ duration: Duration) async {
        if duration <= .milliseconds(500) { return await Task.yield() }
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    state.sleepers.append((state.now + duration, id, continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index).continuation
            }
            continuation?.resume()
        }
    }
}
