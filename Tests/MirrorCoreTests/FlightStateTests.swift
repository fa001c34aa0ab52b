import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

/// The rules of ``FlightState``, by their numbers.
@Suite("The state of a flight")
struct FlightStateTests {
    static let tail = FlightState.heldBack
    let file: any StoredFile
    let length = 100_000

    init() throws {
        let store = MemoryBlobStore()
        file = try store.spool(for: sha256([1])).file
    }

    /// What a reader gets, as text that a table can hold.
    func next(_ state: inout FlightState, _ position: inout FlightState.Position) -> String {
        switch state.next(for: &position, wake: {}) {
        case .send(_, let range): "\(range.lowerBound)..<\(range.upperBound)"
        case .sendBytes(let bytes): "\(bytes.count) bytes"
        case nil: "passed"
        case .wait: "wait"
        case .finished: "finished"
        case .failed(let error): error.label
        }
    }

    func position(_ range: Range<Int>) -> FlightState.Position {
        FlightState.Position(range: range, offset: range.lowerBound, generation: 0)
    }

    @Test("before the head everybody waits, and is woken by it")
    func departing() {
        var state = FlightState()
        var reader = position(0..<10)
        #expect(next(&state, &reader) == "wait")
        #expect(state.began(file: file, length: length).count == 1)
    }

    @Test("rule 1: the tail of a blob waits for the digest, and a range that ends earlier does not")
    func heldBack() {
        var state = FlightState()
        _ = state.began(file: file, length: length)
        state.received(bytes: length)
        var whole = position(0..<length)
        var part = position(length - 1000..<length - 1)
        #expect(next(&state, &whole) == "0..<\(length - Self.tail)")
        #expect(next(&state, &whole) == "wait")
        #expect(next(&state, &part) == "\(length - 1000)..<\(length - 1)")
        #expect(next(&state, &part) == "finished")
        #expect(state.verified().count == 1)
        #expect(next(&state, &whole) == "\(length - Self.tail)..<\(length)")
        #expect(next(&state, &whole) == "finished")
    }

    @Test("rule 1: without a length the last bytes so far are held back")
    func unknownLength() {
        var state = FlightState()
        _ = state.began(file: file, length: nil)
        state.received(bytes: 50_000)
        var reader = position(0..<Int.max)
        #expect(next(&state, &reader) == "0..<\(50_000 - Self.tail)")
        _ = state.verified()
        #expect(next(&state, &reader) == "\(50_000 - Self.tail)..<50000")
        #expect(next(&state, &reader) == "finished")
    }

    @Test(
        "rule 2: after a mismatch a reader goes on when what it was given is right",
        arguments: [
            (30_000, "wait", "30000..<100000"), (30_001, "wait", "corrupt"), (0, "0..<\(60_000)", "60000..<100000"),
        ]
    )
    func mismatch(given: Int, meanwhile: String, after: String) {
        var state = FlightState()
        _ = state.began(file: file, length: length)
        state.received(bytes: given)
        var reader = position(0..<length)
        if given > 0 { #expect(next(&state, &reader) == "0..<\(given)") }
        _ = state.mismatched()
        #expect(next(&state, &reader) == "wait")
        _ = state.began(file: file, length: length)
        state.received(bytes: 60_000)
        #expect(next(&state, &reader) == meanwhile)
        state.received(bytes: 40_000)
        _ = state.verified(commonPrefixes: [30_000])
        #expect(next(&state, &reader) == after)
    }

    @Test("rule 3: every event that can matter wakes whoever waits")
    func wakes() {
        let events: [(inout FlightState) -> FlightState.Wakes] = [
            { $0.mismatched() }, { $0.verified() }, { $0.failed(.corrupt) }, { $0.takeWaiting() },
        ]
        for event in events {
            var state = FlightState()
            _ = state.began(file: file, length: length)
            var reader = position(0..<length)
            #expect(next(&state, &reader) == "wait")
            #expect(event(&state).count == 1)
            #expect(event(&state).isEmpty)
        }
    }

    @Test("a failure reaches readers that want more, and not one that has all of its range")
    func failure() {
        var state = FlightState()
        _ = state.began(file: file, length: length)
        state.received(bytes: 1000)
        var done = position(0..<1000)
        var more = position(0..<2000)
        #expect(next(&state, &done) == "0..<1000")
        #expect(next(&state, &more) == "0..<1000")
        _ = state.failed(.unavailable(reason: "truncated", retryAfter: nil))
        #expect(next(&state, &done) == "finished")
        #expect(next(&state, &more) == "unavailable")
    }

    @Test("rule 2: a reader goes on by what its own file and the last have in common, whichever file that was")
    func commonPrefixes() {
        var state = FlightState()
        var readers: [FlightState.Position] = []
        for generation in 0..<2 {
            _ = state.began(file: file, length: length)
            state.received(bytes: 50_000)
            var reader = FlightState.Position(range: 0..<length, offset: 0, generation: generation)
            #expect(next(&state, &reader) == "0..<50000")
            readers.append(reader)
            _ = state.mismatched()
        }
        _ = state.began(file: file, length: length)
        state.received(bytes: length)
        #expect(next(&state, &readers[0]) == "wait")
        _ = state.verified(commonPrefixes: [10, 50_000])
        #expect(next(&state, &readers[0]) == "corrupt")
        #expect(next(&state, &readers[1]) == "50000..<\(length)")
    }

    @Test("readers of a flight that is handed over go on by themselves, unless what they have came from a wrong file")
    func handedOver() {
        var state = FlightState()
        _ = state.began(file: file, length: length)
        state.received(bytes: 50_000)
        var fresh = position(0..<length)
        var early = position(0..<length)
        #expect(next(&state, &early) == "0..<50000")
        _ = state.mismatched()
        _ = state.began(file: file, length: length)
        var waiting = position(0..<length)
        #expect(next(&state, &waiting) == "wait")
        #expect(state.passed().count == 1)
        #expect(next(&state, &fresh) == "passed")
        #expect(next(&state, &waiting) == "passed")
        #expect(next(&state, &early) == "corrupt")
    }
}
