import Locking

/// On whose behalf an upstream is asked.
///
/// Work that is shared has one errand. When somebody who pulls joins what was begun in the background, it becomes a
/// pull; the queues that it waits in see that when they choose the next time.
package final class Errand: Sendable {
    /// The address of the client that began it: queues are fair between clients.
    package let client: String
    /// What it leaves of the quota while it is background work; `nil` for the upstream's setting.
    package let reserve: Int?
    private let current: Locked<Purpose>

    package init(for caller: Caller) {
        client = caller.address
        reserve = caller.reserve
        current = Locked(caller.purpose)
    }

    package var purpose: Purpose { current.withLock { $0 } }

    /// Somebody else wants the same.
    func join(_ caller: Caller) {
        current.withLock { $0 = min($0, caller.purpose) }
    }
}

/// What content is fetched for, the most urgent first.
package enum Purpose: String, CaseIterable, Hashable, Sendable, Comparable {
    /// Somebody waits for it.
    case pull
    /// `tidepool prewarm`.
    case prewarm
    /// The mirror itself, ahead of a pull.
    case refresh

    /// Whether people who pull go first, and the quota's reserve is for them.
    package var isBackground: Bool { self != .pull }

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .pull: 0
        case .prewarm: 1
        case .refresh: 2
        }
    }
}
