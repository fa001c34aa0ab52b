import Locking
import MirrorCore
import Testing

@testable import UpstreamHTTP

@Suite("Window", .timeLimit(.minutes(1)))
struct WindowTests {
    /// Holds whoever waits at it until it opens.
    private final class Gate: Sendable {
        private let stream: AsyncStream<Void>
        private let continuation: AsyncStream<Void>.Continuation

        init() { (stream, continuation) = AsyncStream.makeStream() }

        func open() { continuation.finish() }
        func pass() async { for await _ in stream {} }
    }

    private func untilWaiting(_ count: Int, _ window: Window) async throws {
        while window.waiting != count { try await Task.sleep(for: .milliseconds(1)) }
    }

    /// Takes a place and keeps it until the gate opens.
    private func occupy(_ window: Window, _ gate: Gate) -> Task<Void, any Error> {
        Task { try await window.withPlace(for: errand) { () async throws(UpstreamError) in await gate.pass() } }
    }

    @Test("never lets in more than there are places")
    func bound() async throws {
        let window = Window(places: 3, patience: .seconds(30))
        let counts = Locked((now: 0, most: 0))
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    try await window.withPlace(for: errand) { () async throws(UpstreamError) in
                        counts.withLock { counts in
                            counts.now += 1
                            counts.most = max(counts.most, counts.now)
                        }
                        await Task.yield()
                        counts.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.withLock { $0.now } == 0)
        #expect(counts.withLock { $0.most } <= 3)
    }

    @Test("serves those who wait in the order they came")
    func order() async throws {
        let window = Window(places: 1, patience: .seconds(30))
        let gate = Gate()
        let holder = occupy(window, gate)
        while window.free > 0 { await Task.yield() }
        let served = Locked<[Int]>([])
        var tasks: [Task<Void, any Error>] = []
        for number in 0..<5 {
            tasks.append(
                Task {
                    try await window.withPlace(for: errand) { () async throws(UpstreamError) in
                        served.withLock { $0.append(number) }
                    }
                }
            )
            try await untilWaiting(number + 1, window)
        }
        gate.open()
        for task in tasks + [holder] { try await task.value }
        #expect(served.withLock { $0 } == [0, 1, 2, 3, 4])
    }

    @Test("waiting is bounded, and a place that was not waited for is not lost")
    func patience() async throws {
        let window = Window(places: 1, patience: .milliseconds(50))
        let gate = Gate()
        let holder = occupy(window, gate)
        while window.free > 0 { await Task.yield() }
        await #expect(throws: UpstreamError.unavailable(.queue)) {
            _ = try await window.withPlace(for: errand) { () async throws(UpstreamError) in Issue.record("got in") }
        }
        gate.open()
        try await holder.value
        #expect(window.free == 1)
    }

    @Test("a queue that is full takes nobody, at once")
    func full() async throws {
        let window = Window(places: 1, patience: .seconds(30))
        let gate = Gate()
        let holder = occupy(window, gate)
        while window.free > 0 { await Task.yield() }
        let waiters = (0..<Window.queueLimit).map { _ in occupy(window, gate) }
        try await untilWaiting(Window.queueLimit, window)
        await #expect(throws: UpstreamError.unavailable(.queue)) {
            _ = try await window.withPlace(for: errand) { () async throws(UpstreamError) in Issue.record("got in") }
        }
        gate.open()
        for task in waiters + [holder] { try await task.value }
        #expect(window.free == 1)
    }

    @Test("a waiter that is cancelled leaves the queue, before it joins it or after", arguments: [false, true])
    func cancelled(before: Bool) async throws {
        let window = Window(places: 1, patience: .seconds(30))
        let gate = Gate()
        let holder = occupy(window, gate)
        while window.free > 0 { await Task.yield() }
        let waiter = Task {
            if before { withUnsafeCurrentTask { $0?.cancel() } }
            _ = try await window.withPlace(for: errand) { () async throws(UpstreamError) in Issue.record("got in") }
        }
        if !before {
            try await untilWaiting(1, window)
            waiter.cancel()
        }
        await #expect(throws: UpstreamError.cancelled) { try await waiter.value }
        #expect(window.waiting == 0)
        gate.open()
        try await holder.value
        #expect(window.free == 1)
    }

    @Test("a failure gives the place back")
    func failure() async throws {
        let window = Window(places: 1, patience: .seconds(30))
        await #expect(throws: UpstreamError.notFound) {
            try await window.withPlace(for: errand) { () async throws(UpstreamError) in throw UpstreamError.notFound }
        }
        #expect(window.free == 1)
    }

    @Test("one operation serves all who ask, and a caller that is cancelled leaves it running")
    func singleFlight() async throws {
        let flights = SingleFlight<Int, String>()
        let gate = Gate()
        let runs = Locked(0)
        let ask = { @Sendable () async throws(UpstreamError) -> String in
            try await flights.value(for: 1) { () async throws(UpstreamError) in
                runs.withLock { $0 += 1 }
                await gate.pass()
                return "value"
            }
        }
        let first = Task { try await ask() }
        while runs.withLock({ $0 }) == 0 { await Task.yield() }
        let second = Task { try await ask() }
        while flights.waiting(for: 1) < 2 { await Task.yield() }
        first.cancel()
        await #expect(throws: UpstreamError.cancelled) { try await first.value }
        gate.open()
        #expect(try await second.value == "value")
        #expect(runs.withLock { $0 } == 1)
    }
}
