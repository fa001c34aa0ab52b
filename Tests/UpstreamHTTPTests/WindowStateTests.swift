import MirrorCore
import Testing

@testable import UpstreamHTTP

@Suite("Window state")
struct WindowStateTests {
    private func admitted(_ window: inout WindowState, _ count: Int, at now: Duration) -> [WindowState.Place] {
        (0..<count).compactMap { _ in window.admit(at: now) }
    }

    @Test("starts at the ceiling, lets in no more, and a ceiling below 1 is 1", arguments: [(8, 8), (1, 1), (0, 1)])
    func ceiling(configured: Int, places: Int) {
        var window = WindowState(ceiling: configured)
        #expect(admitted(&window, 20, at: .zero).count == places)
        window.leave()
        #expect(window.free == 1)
    }

    @Test("a limit halves it, down to 1", arguments: [(8, [4, 2, 1, 1]), (5, [2, 1, 1]), (1, [1])])
    func decrease(ceiling: Int, sizes: [Int]) {
        var window = WindowState(ceiling: ceiling)
        for (number, size) in sizes.enumerated() {
            window.slowDown(.init(grantedAt: .seconds(number * 2 + 1)), at: .seconds(number * 2 + 2))
            #expect(window.size == size)
        }
    }

    @Test("a window's worth of successes adds a place, up to the ceiling")
    func increase() {
        var window = WindowState(ceiling: 6)
        window.slowDown(.init(grantedAt: .zero), at: .seconds(1))
        let place = WindowState.Place(grantedAt: .seconds(2))
        var sizes: [Int] = []
        for _ in 0..<40 {
            window.succeed(place)
            sizes.append(window.size)
        }
        #expect(sizes.prefix(3) == [3, 3, 4])
        #expect(sizes.firstIndex(of: 5) == 6)
        #expect(sizes.firstIndex(of: 6) == 11)
        #expect(sizes.max() == 6)
    }

    @Test("what was under way when a limit came is part of it, and neither halves again nor makes up for it")
    func oneEvent() {
        var window = WindowState(ceiling: 8)
        for place in admitted(&window, 8, at: .zero) {
            _ = window.close(for: nil, isStated: false, because: place, at: .seconds(1))
        }
        #expect(window.size == 4)
        #expect(window.closedUntil == .seconds(31))
        for _ in 0..<20 { window.succeed(.init(grantedAt: .zero)) }
        #expect(window.size == 4)
    }

    @Test("closes for as long as is stated, and the longest of several statements holds")
    func stated() {
        var window = WindowState(ceiling: 8)
        let place = WindowState.Place(grantedAt: .zero)
        let first = window.close(for: .seconds(60), isStated: true, because: place, at: .seconds(1))
        #expect(first.rest == .seconds(60))
        #expect(first.wasOpen)
        let second = window.close(for: .seconds(10), isStated: true, because: place, at: .seconds(2))
        #expect(second.rest == .seconds(59))
        #expect(!second.wasOpen)
        #expect(window.admit(at: .seconds(60)) == nil)
        #expect(window.refusal(at: .seconds(2)) == .pullLimited(retryAfter: .seconds(59)))
        #expect(window.advance(to: .seconds(60)) == nil)
        #expect(window.advance(to: .seconds(61)) == .init(size: 4))
        #expect(window.admit(at: .seconds(61)) != nil)
    }

    @Test("without a time it closes for longer each time, until a read succeeds")
    func experience() {
        var window = WindowState(ceiling: 8)
        var now = Duration.zero
        func refusal() -> Duration {
            now += .seconds(1)
            let place = WindowState.Place(grantedAt: now)
            now += .seconds(1)
            let rest = window.close(for: nil, isStated: false, because: place, at: now).rest
            now += rest
            #expect(window.advance(to: now) != nil)
            return rest
        }
        #expect((0..<6).map { _ in refusal() } == [30, 60, 120, 240, 480, 600].map { .seconds($0) })
        window.succeed(.init(grantedAt: now + .seconds(1)))
        #expect(refusal() == .seconds(30))
    }

    @Test("a late refusal of before, without a time, does not close it again")
    func late() {
        var window = WindowState(ceiling: 8)
        let place = WindowState.Place(grantedAt: .zero)
        _ = window.close(for: .seconds(1), isStated: false, because: place, at: .seconds(1))
        _ = window.advance(to: .seconds(2))
        let late = window.close(for: nil, isStated: false, because: place, at: .seconds(3))
        #expect(late.rest == .zero)
        #expect(!late.wasOpen)
        #expect(window.closedUntil == nil)
    }

    @Test(
        "opens early where the time was a guess and the answer is to a later question",
        arguments: [(false, 3, true), (false, 1, false), (true, 3, false)]
    )
    func early(isStated: Bool, askedAt: Int, opens: Bool) {
        var window = WindowState(ceiling: 8)
        _ = window.close(for: .seconds(36), isStated: isStated, because: .init(grantedAt: .zero), at: .seconds(1))
        #expect((window.openEarly(askedAt: .seconds(askedAt)) != nil) == opens)
        #expect((window.closedUntil == nil) == opens)
    }

    @Test("an early opening that was wrong is not repeated until a read succeeds")
    func wrongEarlyOpening() {
        var window = WindowState(ceiling: 8)
        func closeAndOpen(at second: Int) -> Bool {
            _ = window.close(
                for: .seconds(36),
                isStated: false,
                because: .init(grantedAt: .seconds(second)),
                at: .seconds(second + 1)
            )
            return window.openEarly(askedAt: .seconds(second + 2)) != nil
        }
        #expect(closeAndOpen(at: 0))
        #expect(!closeAndOpen(at: 10))
        _ = window.advance(to: .seconds(100))
        window.succeed(.init(grantedAt: .seconds(100)))
        #expect(closeAndOpen(at: 110))
    }
}
