import Curl
import MirrorCore

extension RegistryUpstream {
    /// The pause after an abuse limit that does not say for how long.
    private static let defaultPause = Duration.seconds(60)

    /// Carries a call within a window to an answer, good or bad, that is not a limit.
    ///
    /// A pull limit closes the window it came through, and an abuse limit pauses the whole upstream. Then the call waits in
    /// line and is sent again, if that is within its patience; else it throws the limit, with what is left of the wait.
    func reply(to call: RegistryClient.Call, in window: Window) async throws(UpstreamError) -> Answer {
        let deadline = time.monotonic() + patience
        while true {
            let answer = try await window.withPlace(for: call.errand, until: deadline) {
                (place) throws(UpstreamError) in
                let answer = try await client.answer(to: call, until: deadline)
                guard let limit = answer.rateLimit else {
                    noteSuccess(answer, to: call, place, in: window)
                    return Answer?.some(answer)
                }
                // A place that a redirect led to limits itself: that is this blob's failure, and nobody else's.
                guard client.authoriser.governs(answer.location.origin) else {
                    throw .unavailable(.status(answer.status))
                }
                // With the place still held, so that nobody comes in behind the limit.
                let rest = close(window, by: limit, place)
                guard time.monotonic() + rest <= deadline else { throw limit.error(retryAfter: rest) }
                return nil
            }
            if let answer { return answer }
        }
    }

    private func close(_ window: Window, by limit: RateLimit, _ place: Window.Place) -> Duration {
        switch limit.scope {
        case .pull: return window.close(for: limit.wait, isStated: limit.isStated, because: place)
        case .abuse:
            for window in [heads, manifests, blobs] { window.slowDown(place) }
            return gate.pause(for: limit.wait ?? Self.defaultPause, sentAt: place.grantedAt)
        }
    }

    private func noteSuccess(
        _ answer: Answer,
        to call: RegistryClient.Call,
        _ place: Window.Place,
        in window: Window
    ) {
        guard answer.status < 500 else { return }
        window.succeed(place)
        let head = answer.head
        guard call.isManifest, call.method == .head, answer.location.origin == endpoint.origin,
            let remaining = RateLimitAnswer.remaining(head, hasWindow: RateLimitAnswer.window(head) != nil),
            remaining > 0
        else { return }
        manifests.openEarly(askedAt: place.grantedAt)
    }
}
