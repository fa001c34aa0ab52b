import MirrorCore
import Testing

@testable import UpstreamHTTP

@Suite("Circuit")
struct CircuitTests {
    /// Sends a request and notes its outcome, in no time.
    private func play(_ circuit: inout CircuitState, _ verdict: CircuitState.Verdict, at now: Duration) -> String {
        guard let pass = circuit.pass(at: now) else { return "refused" }
        switch circuit.note(verdict, of: pass, at: now, jitter: 0) {
        case .opened(let pause): return "opened \(pause.components.seconds)"
        case .closed: return "closed"
        case nil: return "-"
        }
    }

    /// `#require` does not take a call that changes its subject.
    private func required(_ pass: CircuitState.Pass?) throws -> CircuitState.Pass { try #require(pass) }

    private func opened(at now: Duration = .zero) -> CircuitState {
        var circuit = CircuitState()
        for _ in 0..<3 { _ = play(&circuit, .failed, at: now) }
        return circuit
    }

    @Test(
        "opens after three failures in a row, which an answer breaks",
        arguments: [
            ("fff", "- - opened 1"), ("ffaff", "- - - - -"), ("ffafff", "- - - - - opened 1"),
            ("ffuf", "- - - opened 1"), ("ffff", "- - opened 1 refused"), ("aaa", "- - -"),
        ]
    )
    func opening(outcomes: String, expected: String) {
        var circuit = CircuitState()
        let changes = outcomes.map { letter in
            play(&circuit, letter == "f" ? .failed : letter == "a" ? .alive : .unknown, at: .zero)
        }
        #expect(changes.joined(separator: " ") == expected)
    }

    @Test("stays open for its time, says how much is left, and then one probe passes")
    func probing() throws {
        var circuit = opened()
        #expect(circuit.rest(at: .milliseconds(400)) == .milliseconds(600))
        #expect(circuit.pass(at: .milliseconds(999)) == nil)
        #expect(!circuit.isClosed)
        let probe = try required(circuit.pass(at: .seconds(1)))
        #expect(circuit.pass(at: .seconds(1)) == nil)
        #expect(circuit.rest(at: .seconds(1)) == .seconds(1))
        #expect(circuit.note(.alive, of: probe, at: .seconds(2), jitter: 0) == .closed)
        #expect(circuit.isClosed)
        #expect(circuit.pass(at: .seconds(2)) != nil)
    }

    @Test("probes that fail leave it open for twice as long, up to 15 seconds; a good one starts over")
    func doubling() {
        var circuit = opened()
        let moments = [1, 3, 7, 15, 30, 45].map { Duration.seconds($0) }
        #expect(
            moments.map { play(&circuit, .failed, at: $0) }
                == ["opened 2", "opened 4", "opened 8", "opened 15", "opened 15", "opened 15"]
        )
        #expect(play(&circuit, .alive, at: .seconds(60)) == "closed")
        #expect((0..<3).map { _ in play(&circuit, .failed, at: .seconds(61)) } == ["-", "-", "opened 1"])
    }

    @Test("jitter makes the pauses shorter, by a quarter at most", arguments: [(0.0, 1000), (0.5, 875), (1.0, 750)])
    func jitter(jitter: Double, milliseconds: Int) {
        var circuit = CircuitState()
        let changes = (0..<3)
            .map { _ in
                circuit.pass(at: .zero).flatMap { circuit.note(.failed, of: $0, at: .zero, jitter: jitter) }
            }
        #expect(changes.last == .opened(for: .milliseconds(milliseconds)))
    }

    @Test("thirty requests that fail together open it once, and late ones change nothing")
    func together() {
        var circuit = CircuitState()
        let passes = (0..<30).compactMap { _ in circuit.pass(at: .zero) }
        let changes = passes.compactMap { circuit.note(.failed, of: $0, at: .seconds(1), jitter: 0) }
        #expect(changes == [.opened(for: .seconds(1))])
        #expect(circuit.rest(at: .seconds(1)) == .seconds(1))
    }

    @Test(
        "the late success of a request from before the opening does not close it, nor a late failure the probe's work"
    )
    func late() throws {
        var circuit = CircuitState()
        let early = try required(circuit.pass(at: .zero))
        for _ in 0..<3 { _ = play(&circuit, .failed, at: .zero) }
        #expect(circuit.note(.alive, of: early, at: .zero, jitter: 0) == nil)
        #expect(!circuit.isClosed)
        #expect(play(&circuit, .alive, at: .seconds(1)) == "closed")
        for _ in 0..<3 { #expect(circuit.note(.failed, of: early, at: .seconds(1), jitter: 0) == nil) }
        #expect(circuit.isClosed)
    }

    @Test("a probe that was cancelled makes way for the next")
    func abandoned() throws {
        var circuit = opened()
        let probe = try required(circuit.pass(at: .seconds(1)))
        #expect(circuit.note(.unknown, of: probe, at: .seconds(1), jitter: 0) == nil)
        let next = try required(circuit.pass(at: .seconds(1)))
        #expect(circuit.note(.alive, of: probe, at: .seconds(1), jitter: 0) == nil)
        #expect(!circuit.isClosed)
        #expect(circuit.note(.alive, of: next, at: .seconds(1), jitter: 0) == .closed)
    }

    @Test(
        "a status is a sign of life unless the server or what stands before it is broken",
        arguments: [
            (200, CircuitState.Verdict.alive), (206, .alive), (307, .alive), (401, .alive), (403, .alive),
            (404, .alive), (429, .alive), (501, .alive), (500, .erred), (502, .erred), (503, .erred),
            (504, .erred),
        ]
    )
    func statuses(status: Int, verdict: CircuitState.Verdict) {
        #expect(CircuitState.Verdict(status: status) == verdict)
    }

    @Test(
        "without an answer it is a failure if the place is to blame",
        arguments: [
            (UpstreamError.unavailable(.dns), CircuitState.Verdict.failed), (.unavailable(.refused), .failed),
            (.unavailable(.timeout), .failed), (.unavailable(.tls), .failed), (.unavailable(.truncated), .failed),
            (.cancelled, .unknown), (.refusedBySink, .unknown), (.unusable("x"), .unknown),
        ]
    )
    func errors(error: UpstreamError, verdict: CircuitState.Verdict) {
        #expect(CircuitState.Verdict(error) == verdict)
    }
}
