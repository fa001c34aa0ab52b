import Locking
import Logging
import MirrorCore

/// The circuit breaker of one place: a registry's endpoint, or its token server.
///
/// ``CircuitState`` has the rules; this has the clock and the log.
final class CircuitBreaker: Sendable {
    typealias Pass = CircuitState.Pass

    private let state = Locked(CircuitState())
    private let place: String
    private let time: Timekeeper
    private let logger: Logger

    init(of origin: Origin, time: Timekeeper, logger: Logger) {
        place = origin.text
        self.time = time
        self.logger = logger
    }

    /// Whether the place has failed and has not answered since.
    var isFailing: Bool { state.withLock { !$0.isClosed } }

    /// Throws `.unavailable(.circuitOpen)` when nothing about that subject would pass now.
    func check(about subject: String?) throws(UpstreamError) {
        let now = time.monotonic()
        if let rest = state.withLock({ $0.rest(at: now, about: subject) }) {
            throw .unavailable(.circuitOpen(retryAfter: rest))
        }
    }

    /// Lets one request pass; its outcome must be noted.
    func pass(about subject: String?) throws(UpstreamError) -> Pass {
        let now = time.monotonic()
        let (pass, rest) = state.withLock { state in
            let rest = state.rest(at: now, about: subject)
            return (state.pass(at: now, about: subject), rest)
        }
        guard let pass else { throw .unavailable(.circuitOpen(retryAfter: rest ?? .zero)) }
        return pass
    }

    /// Takes a request's outcome; of several for the same pass the first counts.
    func note(_ verdict: CircuitState.Verdict, of pass: Pass) {
        let now = time.monotonic()
        let jitter = Double.random(in: 0...1)
        switch state.withLock({ $0.note(verdict, of: pass, at: now, jitter: jitter) }) {
        case .opened(let pause):
            logger.warning("circuit opened", metadata: ["at": "\(place)", "for": "\(pause)"])
        case .closed: logger.notice("circuit closed", metadata: ["at": "\(place)"])
        case nil: break
        }
    }
}

extension CircuitState.Verdict {
    /// What an answer's status says of the place's health.
    init(status: Int) {
        self =
            switch status {
            case 500, 502, 503, 504: .erred
            default: .alive
            }
    }

    /// What a failure without an answer says.
    init(_ error: UpstreamError) {
        self =
            switch error {
            case .unavailable(.dns), .unavailable(.refused), .unavailable(.timeout), .unavailable(.tls),
                .unavailable(.truncated):
                .failed
            default: .unknown
            }
    }
}
