import Testing

@testable import MirrorCore

@Suite("Promises and shared work", .timeLimit(.minutes(1)))
struct PromiseTests {
    let clock = ManualClock()

    func deadline(in duration: Duration) -> Deadline { clock.timekeeper.deadline(in: duration) }

    @Test("a value goes to those who wait and to those who come later; only the first counts")
    func fulfils() async {
        let promise = Promise<Int>()
        async let early = promise.value(until: deadline(in: .seconds(10)))
        promise.fulfil(1)
        promise.fulfil(2)
        #expect(await early == 1)
        #expect(await promise.value(until: deadline(in: .seconds(10))) == 1)
    }

    @Test("a deadline ends the waiting of one, and not of the others")
    func expires() async {
        let promise = Promise<Int>()
        async let short = promise.value(until: deadline(in: .seconds(1)))
        async let long = promise.value(until: deadline(in: .seconds(100)))
        let turner = Task {
            while !Task.isCancelled {
                clock.advance(by: .milliseconds(100))
                await Task.yield()
                if clock.now > .seconds(1_050) { return }
            }
        }
        #expect(await short == nil)
        turner.cancel()
        promise.fulfil(3)
        #expect(await long == 3)
    }

    @Test("a task that is cancelled does not wait, even when that comes before the waiting")
    func cancelled() async {
        let promise = Promise<Int>()
        let before = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await promise.value(until: deadline(in: .seconds(10)))
        }
        #expect(await before.value == nil)
        let during = Task { await promise.value(until: deadline(in: .seconds(10))) }
        during.cancel()
        #expect(await during.value == nil)
    }

    @Test("work is shared until it has ended, not only until it is delivered")
    func sharedUntilTheEnd() async {
        let table = WorkTable<String, Int>()
        let gate = Gate()
        let first = table.work(on: "a", for: Caller(address: "192.0.2.1")) { _, deliver in
            deliver(1)
            await gate.wait()
        }
        #expect(await first?.promise.value(until: deadline(in: .seconds(10))) == 1)
        await gate.reached()
        let second = table.work(on: "a", for: Caller(address: "192.0.2.1")) { _, deliver in deliver(2) }
        #expect(second?.outcome == .hit)
        #expect(await second?.promise.value(until: deadline(in: .seconds(10))) == 1)
        gate.open()
        await table.cancelAll()
        #expect(table.work(on: "a", for: Caller(address: "192.0.2.1")) { _, deliver in deliver(3) } == nil)
    }
}
