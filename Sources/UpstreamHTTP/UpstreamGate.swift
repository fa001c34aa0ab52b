import Locking
import Logging
import MirrorCore

/// What every request to a registry and its token server passes before it is sent.
///
/// In this order: the circuit breaker of the place it goes to, the pause after an abuse limit and the request rate of the
/// whole upstream. Requests to redirect targets do not pass here: they are other people's servers.
final class UpstreamGate: Sendable {
    /// Leave to send one request, whose outcome is to be noted once: when the head has come, or will not come.
    struct Passage: Sendable {
        fileprivate let breaker: CircuitBreaker
        fileprivate let pass: CircuitBreaker.Pass

        func note(_ verdict: CircuitState.Verdict) { breaker.note(verdict, of: pass) }
    }

    private struct TokenServers {
        var breakers: [Origin: CircuitBreaker] = [:]
        var last: CircuitBreaker?
    }

    /// Realms are named by answers: no more of them are remembered than any registry has.
    private static let tokenServerLimit = 16
    /// Tokens are fetched for all who wait for them, some of whom may pull.
    private static let tokenErrand = Errand(for: Caller(address: ""))

    private let endpoint: Origin
    private let endpointBreaker: CircuitBreaker
    private let tokenServers = Locked(TokenServers())
    private let rate: WaitingRoom<RequestRate>
    private let patience: Duration
    private let time: Timekeeper
    private let logger: Logger

    init(_ options: UpstreamOptions, endpoint: Origin, time: Timekeeper, logger: Logger) {
        self.endpoint = endpoint
        self.time = time
        self.logger = logger
        patience = options.timeouts.answerWithin
        endpointBreaker = CircuitBreaker(of: endpoint, time: time, logger: logger)
        rate = WaitingRoom(
            RequestRate(requestsPerMinute: options.requestsPerMinute, at: time.monotonic()),
            time: time
        ) { notice in
            logger.notice("upstream resumed", metadata: ["requests_per_minute": "\(notice.requestsPerMinute)"])
        }
    }

    /// Whether the endpoint, or the token server that was last asked, has failed and has not answered since.
    var isFailing: Bool {
        endpointBreaker.isFailing || tokenServers.withLock { $0.last }?.isFailing == true
    }

    /// Waits until a request may go to `origin`; `subject` is what it is about, a repository or a token's scope.
    ///
    /// Throws `.unavailable(.circuitOpen)` at once while the place is left alone, and what
    /// ``WaitingRoom/enter(for:until:)`` throws; without an errand and a deadline it is a token that is asked for.
    func pass(
        to origin: Origin,
        about subject: String?,
        for errand: Errand?,
        until deadline: Duration?
    ) async throws(UpstreamError) -> Passage {
        let breaker = breaker(of: origin)
        try breaker.check(about: subject)
        _ = try await rate.enter(for: errand ?? Self.tokenErrand, until: deadline ?? time.monotonic() + patience)
        return Passage(breaker: breaker, pass: try breaker.pass(about: subject))
    }

    /// Stops everything for `wait`, after an abuse limit on what was let in at `moment`; returns for how long.
    func pause(for wait: Duration, sentAt moment: Duration) -> Duration {
        let (rest, wasOpen) = rate.update { rate, now in rate.pause(for: wait, sentAt: moment, at: now) }
        if wasOpen {
            logger.notice("upstream paused", metadata: ["reason": "abuse_limit", "for": "\(rest)"])
        }
        return rest
    }

    private func breaker(of origin: Origin) -> CircuitBreaker {
        guard origin != endpoint else { return endpointBreaker }
        return tokenServers.withLock { servers in
            if servers.breakers[origin] == nil, servers.breakers.count >= Self.tokenServerLimit {
                servers.breakers = servers.breakers.filter(\.value.isFailing)
                if servers.breakers.count >= Self.tokenServerLimit { servers.breakers = [:] }
            }
            let breaker =
                servers.breakers[origin] ?? CircuitBreaker(of: origin, time: time, logger: logger)
            servers.breakers[origin] = breaker
            servers.last = breaker
            return breaker
        }
    }
}
