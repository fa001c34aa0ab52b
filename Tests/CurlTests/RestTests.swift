import Curl
import HTTPTesting
import Locking
import Testing

@Suite("Transfers that rest", .timeLimit(.minutes(1)))
struct RestTests {
    let loop = TransferLoop(name: "curl-test")
    private static let content = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
    let body = Self.content

    @Test("go on when they are told to, from any thread, and lose and double nothing")
    func goesOn() async throws {
        let server = LoopbackServer { _ in .reply(200, body: body) }
        let sink = FillingSink(capacity: 250_000)
        async let head = loop.send(TransferRequest(url: server.url("/")), to: sink)
        for round in 1...7 {
            await sink.waitUntilFull(times: round)
            #expect(sink.bytes.count <= round * 250_000)
            sink.makeRoom()
        }
        let answer = try await head
        #expect(answer.status == 200)
        #expect(sink.bytes == body)
    }

    @Test("may be told to go on before the sink has returned")
    func atOnce() async throws {
        let server = LoopbackServer { _ in .reply(200, body: body) }
        let sink = FillingSink(capacity: 100_000, goesOnAtOnce: true)
        try await loop.send(TransferRequest(url: server.url("/")), to: sink)
        #expect(sink.bytes == body)
        #expect(sink.timesFull >= 17)
    }

    @Test("do not stall, however long they rest, and hold up no other")
    func noStall() async throws {
        let server = LoopbackServer { request in .reply(200, body: request.path == "/small" ? [1] : body) }
        let sink = FillingSink(capacity: 250_000)
        let timeouts = TransferRequest.Timeouts(stall: .milliseconds(100))
        async let head = loop.send(TransferRequest(url: server.url("/"), timeouts: timeouts), to: sink)
        await sink.waitUntilFull(times: 1)
        // Time has to pass here, several times what would be a stall.
        for _ in 0..<4 {
            try await loop.send(TransferRequest(url: server.url("/small")), to: CollectingSink())
            try await Task.sleep(for: .milliseconds(100))
        }
        sink.makeRoom(.max / 2)
        let answer = try await head
        #expect(answer.status == 200)
        #expect(sink.bytes == body)
    }

    @Test("stall after a rest like any other")
    func stallAfterwards() async throws {
        let text = String(repeating: "x", count: 300_000)
        let server = LoopbackServer { _ in .stall(after: "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n\(text)") }
        let sink = FillingSink(capacity: 100_000)
        let timeouts = TransferRequest.Timeouts(stall: .milliseconds(200))
        async let ended = failure(TransferRequest(url: server.url("/"), timeouts: timeouts), sink)
        await sink.waitUntilFull(times: 1)
        sink.makeRoom(.max / 2)
        #expect(await ended?.code == .timedOut)
        #expect(sink.bytes.count == 300_000)
    }

    @Test("end when the caller is cancelled; to go on means nothing then")
    func cancelled() async throws {
        let server = LoopbackServer { _ in .reply(200, body: body) }
        let sink = FillingSink(capacity: 250_000)
        let task = Task { await failure(TransferRequest(url: server.url("/")), sink) }
        await sink.waitUntilFull(times: 1)
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        let count = sink.bytes.count
        sink.makeRoom()
        try await loop.send(TransferRequest(.head, url: server.url("/")), to: CollectingSink())
        #expect(sink.bytes.count == count)
    }

    @Test("end when the sink refuses what was held back")
    func refusesAfterwards() async throws {
        let server = LoopbackServer { _ in .reply(200, body: body) }
        let sink = FillingSink(capacity: 250_000)
        async let ended = failure(TransferRequest(url: server.url("/")), sink)
        await sink.waitUntilFull(times: 1)
        sink.refuse()
        #expect(await ended?.code == .refused)
    }

    @Test("end with the loop")
    func shutDown() async throws {
        let server = LoopbackServer { _ in .reply(200, body: body) }
        let sink = FillingSink(capacity: 250_000)
        async let ended = failure(TransferRequest(url: server.url("/")), sink)
        await sink.waitUntilFull(times: 1)
        loop.shutDown()
        #expect(await ended?.code == .cancelled)
        sink.makeRoom()
    }

    private func failure(_ request: TransferRequest, _ sink: any TransferSink) async -> TransferError? {
        do throws(TransferError) {
            try await loop.send(request, to: sink)
            return nil
        } catch {
            return error
        }
    }
}

/// Takes so many bytes, and more when it is made room in.
private final class FillingSink: TransferSink {
    private struct State {
        var bytes: [UInt8] = []
        var room: Int
        var isRefusing = false
        var timesFull = 0
        var goOn: (@Sendable () -> Void)?
        var waiting: [(times: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let capacity: Int
    private let goesOnAtOnce: Bool
    private let state: Locked<State>

    init(capacity: Int, goesOnAtOnce: Bool = false) {
        self.capacity = capacity
        self.goesOnAtOnce = goesOnAtOnce
        state = Locked(State(room: capacity))
    }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var timesFull: Int { state.withLock { $0.timesFull } }

    func begin(_ head: ResponseHead) -> Bool { true }

    func receive(_ bytes: Span<UInt8>) -> Intake {
        let isRefusing = state.withLock { $0.isRefusing }
        if isRefusing { return .refused }
        let isTaken = state.withLock { state in
            guard bytes.count <= state.room else { return false }
            state.room -= bytes.count
            for index in bytes.indices { state.bytes.append(bytes[index]) }
            return true
        }
        return isTaken ? .taken : .full { [self] in rest(until: $0) }
    }

    private func rest(until goOn: @escaping @Sendable () -> Void) {
        let reached = state.withLock { state in
            state.timesFull += 1
            if goesOnAtOnce { state.room = capacity } else { state.goOn = goOn }
            let times = state.timesFull
            defer { state.waiting.removeAll { $0.times <= times } }
            return state.waiting.filter { $0.times <= times }.map(\.continuation)
        }
        if goesOnAtOnce { goOn() }
        for continuation in reached { continuation.resume() }
    }

    /// Returns when it has been full so often.
    func waitUntilFull(times: Int) async {
        await withCheckedContinuation { continuation in
            let isReached = state.withLock { state in
                if state.timesFull < times { state.waiting.append((times, continuation)) }
                return state.timesFull >= times
            }
            if isReached { continuation.resume() }
        }
    }

    func makeRoom(_ room: Int? = nil) {
        let goOn = state.withLock { state in
            state.room += room ?? capacity
            return state.goOn.take()
        }
        goOn?()
    }

    /// Wants no more.
    func refuse() {
        state.withLock { $0.isRefusing = true }
        makeRoom()
    }
}
