import Locking
import Logging
import Testing

@testable import MirrorCore
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

    private let clock = TestClock()
    private let log = LogRecorder()

    private func window(places: Int) -> Window {
        let log = log
        return Window(
            "manifests",
            places: places,
            time: clock.timekeeper,
            logger: Logger(label: "test") { _ in log.handler }
        )
    }

    private func untilWaiting(_ count: Int, _ window: Window) async throws {
        while window.waiting != count { try await Task.sleep(for: .milliseconds(1)) }
    }

    /// Takes a place and keeps it until the gate opens.
    private func occupy(_ window: Window, _ gate: Gate) -> Task<Void, any Error> {
        Task {
            try await window.withPlace(for: errand, until: .seconds(30)) { (_) async throws(UpstreamError) in
                await gate.pass()
            }
        }
    }

    /// Occupies the only place of a window.
    private func occupied() async -> (window: Window, gate: Gate, holder: Task<Void, any Error>) {
        let window = window(places: 1)
        let gate = Gate()
        let holder = occupy(window, gate)
        while window.free > 0 { await Task.yield() }
        return (window, gate, holder)
    }

    /// Comes in and goes, noting its name; returns once it waits.
    private func queueUp(
        _ name: String,
        _ errand: Errand,
        in window: Window,
        noting served: Locked<[String]>
    ) async throws -> Task<Void, any Error> {
        let waiting = window.waiting
        let task = Task {
            try await window.withPlace(for: errand, until: .seconds(30)) { (_) async throws(UpstreamError) in
                served.withLock { $0.append(name) }
            }
        }
        try await untilWaiting(waiting + 1, window)
        return task
    }

    private func expectRefusal(_ error: UpstreamError, by window: Window, until deadline: Duration) async {
        await #expect(throws: error) {
            try await window.withPlace(for: errand, until: deadline) { (_) async throws(UpstreamError) in
                Issue.record("got in")
            }
        }
    }

    @Test("never lets in more than there are places")
    func bound() async throws {
        let window = window(places: 3)
        let counts = Locked((now: 0, most: 0))
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    try await window.withPlace(for: errand, until: .seconds(30)) { (_) async throws(UpstreamError) in
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

    @Test("pulls go before background work, clients take turns, and a promotion counts from when it comes")
    func order() async throws {
        let (window, gate, holder) = await occupied()
        let served = Locked<[String]>([])
        let prewarm = Caller(address: "p", purpose: .prewarm)
        let promoted = Errand(for: prewarm)
        let queue = [
            ("prewarm", Errand(for: prewarm)), ("promoted", promoted), ("a1", Errand(for: Caller(address: "a"))),
            ("a2", Errand(for: Caller(address: "a"))), ("b1", Errand(for: Caller(address: "b"))),
        ]
        var tasks: [Task<Void, any Error>] = []
        for (name, errand) in queue { tasks.append(try await queueUp(name, errand, in: window, noting: served)) }
        promoted.join(Caller(address: "c"))
        gate.open()
        for task in tasks + [holder] { try await task.value }
        #expect(served.withLock { $0 } == ["promoted", "a1", "b1", "a2", "prewarm"])
    }

    @Test("waiting is bounded, and a place that was not waited for is not lost")
    func patience() async throws {
        let (window, gate, holder) = await occupied()
        let waiter = Task { await expectRefusal(.unavailable(.queue), by: window, until: .seconds(5)) }
        try await untilWaiting(1, window)
        try await clock.advance(toSleeperAt: .seconds(5))
        await waiter.value
        await expectRefusal(.unavailable(.queue), by: window, until: .seconds(5))
        gate.open()
        try await holder.value
        #expect(window.free == 1)
        #expect(window.waiting == 0)
    }

    @Test("a queue that is full takes nobody, at once")
    func full() async throws {
        let (window, gate, holder) = await occupied()
        let waiters = (0..<WaitingRoom<WindowState>.queueLimit).map { _ in occupy(window, gate) }
        try await untilWaiting(waiters.count, window)
        await expectRefusal(.unavailable(.queue), by: window, until: .seconds(30))
        gate.open()
        for task in waiters + [holder] { try await task.value }
        #expect(window.free == 1)
    }

    @Test("a queue that one client has filled has room for another's first")
    func displaced() async throws {
        let (window, gate, holder) = await occupied()
        let refused = Locked(0)
        let served = Locked<[String]>([])
        let limit = WaitingRoom<WindowState>.queueLimit
        let crowd = (0..<limit)
            .map { _ in
                Task {
                    do throws(UpstreamError) {
                        try await window.withPlace(for: errand, until: .seconds(30)) {
                            (_) async throws(UpstreamError) in
                            await gate.pass()
                        }
                    } catch {
                        #expect(error == .unavailable(.queue))
                        refused.withLock { $0 += 1 }
                    }
                }
            }
        try await untilWaiting(limit, window)
        let other = Task {
            try await window.withPlace(for: Errand(for: Caller(address: "other")), until: .seconds(30)) {
                (_) async throws(UpstreamError) in served.withLock { $0.append("other") }
            }
        }
        while refused.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(1)) }
        #expect(window.waiting == limit)
        gate.open()
        try await other.value
        try await holder.value
        for task in crowd { await task.value }
        #expect(refused.withLock { $0 } == 1)
        #expect(served.withLock { $0 } == ["other"])
        #expect(window.free == 1)
    }

    @Test("a waiter that is cancelled leaves the queue, before it joins it or after", arguments: [false, true])
    func cancelled(before: Bool) async throws {
        let (window, gate, holder) = await occupied()
        let waiter = Task {
            if before { withUnsafeCurrentTask { $0?.cancel() } }
            await expectRefusal(.cancelled, by: window, until: .seconds(30))
        }
        if !before {
            try await untilWaiting(1, window)
            waiter.cancel()
        }
        await waiter.value
        #expect(window.waiting == 0)
        gate.open()
        try await holder.value
        #expect(window.free == 1)
    }

    @Test("a failure gives the place back")
    func failure() async throws {
        let window = window(places: 1)
        await #expect(throws: UpstreamError.notFound) {
            try await window.withPlace(for: errand, until: .seconds(30)) { (_) async throws(UpstreamError) in
                throw UpstreamError.notFound
            }
        }
        #expect(window.free == 1)
    }

    @Test("while it is closed, those who can wait are let in when it opens, and the others refused at once")
    func closing() async throws {
        let (window, gate, holder) = await occupied()
        let patient = occupy(window, gate)
        let impatient = Task {
            await expectRefusal(.pullLimited(retryAfter: .seconds(20)), by: window, until: .seconds(10))
        }
        try await untilWaiting(2, window)
        #expect(window.close(for: .seconds(20), isStated: true, because: .init(grantedAt: .zero)) == .seconds(20))
        await impatient.value
        await expectRefusal(.pullLimited(retryAfter: .seconds(20)), by: window, until: .seconds(19))
        gate.open()
        try await holder.value
        #expect(window.waiting == 1)
        try await clock.advance(toSleeperAt: .seconds(20))
        try await patient.value
        #expect(window.free == 1)
        #expect(log.count(of: "window closed") == 1)
        #expect(log.count(of: "window opened") == 1)
        #expect(log.text.contains("manifests"))
    }

    @Test("it opens by time, when nobody asks, and says so")
    func opensByItself() async throws {
        let window = window(places: 4)
        _ = window.close(for: nil, isStated: false, because: .init(grantedAt: .zero))
        #expect(window.free == 0)
        try await clock.advance(toSleeperAt: .seconds(30))
        while log.count(of: "window opened") == 0 { try await Task.sleep(for: .milliseconds(1)) }
        #expect(window.free == 2)
    }

    @Test("a window that goes while it is closed leaves nobody asleep")
    func noLeak() async throws {
        var window: Window? = window(places: 4)
        _ = window?.close(for: .seconds(20), isStated: true, because: .init(grantedAt: .zero))
        while clock.sleeping == 0 { try await Task.sleep(for: .milliseconds(1)) }
        window = nil
        while clock.sleeping > 0 { try await Task.sleep(for: .milliseconds(1)) }
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
