import Curl
import HTTPTesting
import Locking
import Posix
import Testing

@Suite("Gathered bodies", .timeLimit(.minutes(1)))
struct GatheringTests {
    private let loop = TransferLoop(name: "curl-test")
    private static let chunk = 256 << 10
    private static let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }

    private func request(_ server: LoopbackServer, body: Int? = nil) -> TransferRequest {
        let limits = TransferRequest.Limits(body: body, chunk: Self.chunk, isGathered: true)
        return TransferRequest(url: server.url("/"), timeouts: .init(stall: .milliseconds(200)), limits: limits)
    }

    @Test("come whole and in order, in pieces that are no larger than the buffer")
    func delivers() async throws {
        let server = LoopbackServer { _ in .reply(200, body: Self.content) }
        let sink = PieceSink()
        try await loop.send(request(server), to: sink)
        #expect(sink.bytes == Self.content)
        #expect(sink.sizes.allSatisfy { $0 <= Self.chunk })
    }

    @Test("come before what follows them is there, and before the transfer fails")
    func beforeFailure() async throws {
        let text = String(repeating: "x", count: 300_000)
        let server = LoopbackServer { _ in .stall(after: "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n\(text)") }
        let sink = PieceSink()
        #expect(await failure(request(server), sink)?.code == .timedOut)
        #expect(sink.bytes.count == 300_000)
    }

    @Test(
        "a sink that refuses ends the transfer, with the first piece or the last",
        arguments: [0, 1 << 20, 2_999_999]
    )
    func refused(capacity: Int) async {
        let server = LoopbackServer { _ in .reply(200, body: Self.content) }
        let sink = PieceSink(capacity: capacity)
        let error = await failure(request(server), sink)
        #expect(error?.code == .refused)
        #expect(sink.bytes.count <= capacity)
    }

    @Test("a sink that takes its time is no stall, neither its own nor another's")
    func slowSink() async throws {
        let server = LoopbackServer { _ in .reply(200, body: Self.content) }
        // It is read in many small pieces, so that it is under way while the other's sink holds up the thread.
        var other = request(server)
        other.limits = TransferRequest.Limits(chunk: 1024)
        let (slow, patient) = (PieceSink(delay: .milliseconds(300)), PieceSink(delay: .microseconds(500)))
        async let second = failure(other, patient)
        while patient.sizes.isEmpty { await Task.yield() }
        async let first = failure(request(server), slow)
        let failures = [await first, await second]
        #expect(failures == [nil, nil])
        #expect(slow.bytes == Self.content && patient.bytes == Self.content)
    }

    @Test("what is gathered counts against the limit")
    func limit() async {
        let server = LoopbackServer { _ in .reply(200, body: Self.content) }
        let sink = PieceSink()
        #expect(await failure(request(server, body: 100_000), sink)?.code == .tooLarge)
        #expect(sink.bytes.count <= 100_000)
    }

    private func failure(_ request: TransferRequest, _ sink: PieceSink) async -> TransferError? {
        do throws(TransferError) {
            try await loop.send(request, to: sink)
            return nil
        } catch {
            return error
        }
    }
}

/// Notes how large the pieces are; refuses the one that would make it more than its capacity.
private final class PieceSink: TransferSink {
    private let state = Locked((sizes: [Int](), bytes: [UInt8]()))
    private let capacity: Int
    private let delay: Duration?

    init(capacity: Int = .max, delay: Duration? = nil) {
        self.capacity = capacity
        self.delay = delay
    }

    var sizes: [Int] { state.withLock { $0.sizes } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func begin(_ head: ResponseHead) -> Bool { true }

    func receive(_ bytes: Span<UInt8>) -> Intake {
        // Stands for a disk that holds up the transfer thread: time has to pass there, more than a stall takes.
        if let delay { DedicatedThread.sleep(for: delay) }
        return state.withLock { state in
            guard state.bytes.count + bytes.count <= capacity else { return .refused }
            state.sizes.append(bytes.count)
            state.bytes.append(contentsOf: bytes.withUnsafeBufferPointer { Array($0) })
            return .taken
        }
    }
}
