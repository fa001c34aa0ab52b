import Testing

@testable import MirrorCore

/// The rules of ``PassageState``, by their numbers.
@Suite("The state of a passage")
struct PassageStateTests {
    static let tail = FlightState.heldBack
    static let capacity = PassageState.capacity
    let length = 10 << 20

    func take(_ count: Int, _ state: inout PassageState) {
        let bytes = (state.received..<state.received + count).map { UInt8(truncatingIfNeeded: $0) }
        state.take(bytes.span)
    }

    /// What the client gets, as text that can be compared.
    func next(_ state: inout PassageState) -> String {
        switch state.next() {
        case .file(let range): "file \(range.lowerBound)..<\(range.upperBound)"
        case .bytes(let bytes): "\(bytes.count) from \(bytes.first ?? 0)"
        case .wait: "wait"
        case .finished: "finished"
        case .failed(let error): error.label
        }
    }

    @Test("rule 1: no more is taken than fits in, and what the client is being sent counts")
    func capacity() {
        var state = PassageState(range: 0..<length, from: 0, length: length)
        take(Self.capacity, &state)
        #expect(!state.hasRoom(for: 1))
        #expect(next(&state) == "\(Self.capacity) from 0")
        #expect(!state.hasRoom(for: 1) && !state.isLow)
        #expect(next(&state) == "wait")
        #expect(state.hasRoom(for: Self.capacity) && state.isLow)
    }

    @Test("rule 1: what is needed to give the client anything is always taken")
    func largePiece() {
        var state = PassageState(range: 0..<length, from: 0, length: nil)
        take(Self.tail, &state)
        #expect(next(&state) == "wait")
        #expect(state.hasRoom(for: 2 * Self.capacity))
    }

    @Test("rule 2: the tail of the blob waits for the digest, and comes when that is right")
    func heldBack() {
        var state = PassageState(range: 0..<100_000, from: 0, length: 100_000)
        take(100_000, &state)
        #expect(state.hasAll)
        #expect(next(&state) == "\(100_000 - Self.tail) from 0")
        #expect(next(&state) == "wait" && !state.hasNews)
        state.completed()
        #expect(state.hasNews)
        #expect(next(&state) == "\(Self.tail) from \(UInt8(truncatingIfNeeded: 100_000 - Self.tail))")
        #expect(next(&state) == "finished")
    }

    @Test("rule 2: without a length the last bytes so far are held back, and the end is where the transfer ends")
    func unknownLength() {
        var state = PassageState(range: 0..<Int.max, from: 0, length: nil)
        take(20_000, &state)
        #expect(next(&state) == "\(20_000 - Self.tail) from 0")
        #expect(!state.hasAll)
        state.learned(length: 20_000)
        #expect(state.hasAll)
        #expect(next(&state) == "wait")
        state.completed()
        #expect(next(&state) == "\(Self.tail) from \(UInt8(truncatingIfNeeded: 20_000 - Self.tail))")
        #expect(next(&state) == "finished")
    }

    @Test("rule 3: a range that ends early is asked for from its start, and nothing behind it is held")
    func earlyRange() {
        var state = PassageState(range: 5000..<6000, from: 5000, length: length)
        #expect(!state.reachesEnd && state.received == 5000)
        take(4000, &state)
        #expect(state.hasAll)
        #expect(next(&state) == "1000 from \(UInt8(truncatingIfNeeded: 5000))")
        #expect(next(&state) == "finished")
    }

    @Test("rule 3: for a range that reaches the end all of the blob goes past, and its own bytes only are held")
    func lateRange() {
        var state = PassageState(range: 90_000..<100_000, from: 90_000, length: 100_000)
        #expect(state.reachesEnd && state.received == 0)
        #expect(state.hasRoom(for: 90_000))
        take(90_000, &state)
        #expect(next(&state) == "wait")
        take(10_000, &state)
        #expect(next(&state) == "wait")
        state.completed()
        #expect(next(&state) == "10000 from \(UInt8(truncatingIfNeeded: 90_000))")
        #expect(next(&state) == "finished")
    }

    @Test("what a flight has left in its file comes first, as far as the digest need not be waited for")
    func afterFile() {
        var state = PassageState(range: 0..<100_000, from: 10_000, length: 100_000, fileEnd: 95_000)
        #expect(state.received == 95_000)
        #expect(next(&state) == "file 10000..<\(100_000 - Self.tail)")
        #expect(next(&state) == "wait")
        take(5000, &state)
        #expect(next(&state) == "wait")
        state.completed()
        #expect(next(&state) == "file \(100_000 - Self.tail)..<95000")
        #expect(next(&state) == "5000 from \(UInt8(truncatingIfNeeded: 95_000))")
        #expect(next(&state) == "finished")
    }

    @Test("a range that ends within the file needs nothing of the upstream")
    func withinFile() {
        var state = PassageState(range: 100..<200, from: 100, length: 100_000, fileEnd: 50_000)
        #expect(state.hasAll)
        #expect(next(&state) == "file 100..<200")
        #expect(next(&state) == "finished")
    }

    @Test("rule 4: a failure ends the answer, unless all of it was given")
    func failure() {
        var state = PassageState(range: 0..<100_000, from: 0, length: 100_000)
        take(50_000, &state)
        state.failed(.corrupt)
        #expect(state.hasNews)
        #expect(next(&state) == "corrupt")
        var part = PassageState(range: 0..<100, from: 0, length: 100_000)
        take(100, &part)
        #expect(next(&part) == "100 from 0")
        part.failed(.shuttingDown)
        #expect(next(&part) == "finished")
    }
}
