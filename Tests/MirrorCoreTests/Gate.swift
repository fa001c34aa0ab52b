import Hashing
import Locking
import OCI

func sha256(_ bytes: [UInt8]) -> Digest {
    var hasher = ContentHasher(.sha256)
    hasher.update(bytes.span)
    return Digest(algorithm: .sha256, bytes: hasher.finalize().span)!
}

/// Holds back whoever comes, until it is opened.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var arrivals: [CheckedContinuation<Void, Never>] = []
        var hasArrived = false
    }
    private let state = Locked(State())

    func wait() async {
        await withCheckedContinuation { continuation in
            let (isOpen, arrivals) = state.withLock { state in
                defer { state.arrivals = [] }
                state.hasArrived = true
                if !state.isOpen { state.waiting.append(continuation) }
                return (state.isOpen, state.arrivals)
            }
            for arrival in arrivals { arrival.resume() }
            if isOpen { continuation.resume() }
        }
    }

    /// Returns once somebody waits at the gate.
    func reached() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if !state.hasArrived { state.arrivals.append(continuation) }
                return state.hasArrived
            }
            if isDone { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isOpen = true
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
