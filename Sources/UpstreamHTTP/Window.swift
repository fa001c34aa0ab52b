import Logging
import MirrorCore

/// The concurrency window for one kind of request to an upstream.
///
/// ``WindowState`` says how many; ``WaitingRoom`` has those who wait.
final class Window: Sendable {
    typealias Place = WindowState.Place

    private let room: WaitingRoom<WindowState>
    private let name: String
    private let logger: Logger

    /// Makes a window of at most `places`, open.
    init(_ name: String, places: Int, time: Timekeeper, logger: Logger) {
        self.name = name
        self.logger = logger
        room = WaitingRoom(WindowState(ceiling: places), time: time) { notice in
            Self.reportOpening(notice, of: name, to: logger)
        }
    }

    /// Runs `body` when there is a place for it, which it holds until it returns.
    ///
    /// Throws what ``WaitingRoom/enter(for:until:)`` throws when there is none by `deadline`.
    func withPlace<Value>(
        for errand: Errand,
        until deadline: Duration,
        _ body: (Place) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let place = try await room.enter(for: errand, until: deadline)
        defer { room.update { window, _ in window.leave() } }
        return try await body(place)
    }

    /// How many could come in now.
    var free: Int { room.rule.free }

    /// How many may be in at a time.
    var size: Int { room.rule.size }

    /// How many wait for a place.
    var waiting: Int { room.waiting }

    func succeed(_ place: Place) {
        room.update { window, _ in window.succeed(place) }
    }

    /// The registry limits requests of any kind.
    func slowDown(_ place: Place) {
        room.update { window, now in window.slowDown(place, at: now) }
    }

    /// Closes after a pull limit, and returns for how long.
    ///
    /// A `wait` of `nil` is left to experience; `isStated` when the registry itself said how long.
    func close(for wait: Duration?, isStated: Bool, because place: Place) -> Duration {
        let (rest, wasOpen) = room.update { window, now in
            window.close(for: wait, isStated: isStated, because: place, at: now)
        }
        if wasOpen {
            logger.notice(
                "window closed",
                metadata: ["window": "\(name)", "reason": "pull_limit", "for": "\(rest)", "stated": "\(isStated)"]
            )
        }
        return rest
    }

    /// Opens before its time where that was only a guess: the registry has said, when asked at `moment`, that quota is left.
    func openEarly(askedAt moment: Duration) {
        let notice = room.update { window, _ in window.openEarly(askedAt: moment) }
        if let notice { Self.reportOpening(notice, of: name, to: logger) }
    }

    private static func reportOpening(_ notice: WindowState.Notice, of name: String, to logger: Logger) {
        logger.notice("window opened", metadata: ["window": "\(name)", "places": "\(notice.size)"])
    }
}
