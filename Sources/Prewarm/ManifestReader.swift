import Locking
import MirrorCore
import OCI

/// The manifest reads of a run: within its budget, the quota and its reserve.
final class ManifestReader: Sendable {
    /// Why a manifest did not come.
    enum Failure: Error {
        case failed(MirrorError)
        case stopped(StopReason)
    }

    private struct State {
        /// Reads that may still be made; `nil` for any number.
        var budget: Int?
        /// Upstreams whose quota is used up, when the run does not wait for it.
        var exhausted: [UpstreamName: StopReason] = [:]
        var stop: StopReason?
    }

    private let mirror: any WarmMirror
    private let options: PrewarmOptions
    private let time: Timekeeper
    private let observe: PrewarmObserver
    private let state: Locked<State>

    /// When to look again if nothing tells when quota is back.
    private static let unknownReset = Duration.seconds(60)

    init(
        _ mirror: any WarmMirror,
        _ options: PrewarmOptions,
        _ time: Timekeeper,
        _ observe: @escaping PrewarmObserver
    ) {
        self.mirror = mirror
        self.options = options
        self.time = time
        self.observe = observe
        state = Locked(State(budget: options.budget))
    }

    /// What kept a manifest from being read, first.
    var stop: StopReason? { state.withLock { $0.stop } }

    /// A manifest: free if it is stored, else read when a read may be made.
    func manifest(_ digest: Digest, in repository: Repository) async throws(Failure) -> WarmManifest {
        let held: HeldManifest?
        do throws(MirrorError) {
            held = try await Patience(time)
                .overcome { () async throws(MirrorError) in
                    try await self.mirror.heldManifest(digest, in: repository)
                }
        } catch {
            throw failure(error)
        }
        if let held, held.isProved { return WarmManifest(bytes: held.bytes, wasRead: false) }
        while true {
            // What is stored for another repository takes a HEAD, and no read.
            if held == nil { try claim(in: repository.upstream) }
            do throws(MirrorError) {
                let manifest = try await read(digest, in: repository)
                if held == nil, !manifest.wasRead { giveBack() }
                return manifest
            } catch {
                if held == nil { giveBack() }
                guard case .limited(let limit, let wait) = error, limit != .abuse else { throw failure(error) }
                try await awaitQuota(wait, in: repository.upstream)
            }
        }
    }

    private func read(_ digest: Digest, in repository: Repository) async throws(MirrorError) -> WarmManifest {
        try await Patience(time)
            .overcome { () async throws(MirrorError) in
                try await self.mirror.manifest(digest, in: repository, keeping: self.options.reserve)
            }
    }

    private func claim(in upstream: UpstreamName) throws(Failure) {
        let refusal = state.withLock { state -> StopReason? in
            if Task.isCancelled { return .interrupted }
            if let reason = state.exhausted[upstream] { return reason }
            guard let budget = state.budget else { return nil }
            guard budget > 0 else { return .budget }
            state.budget = budget - 1
            return nil
        }
        if let refusal { throw stopped(refusal) }
    }

    private func giveBack() {
        state.withLock { state in
            if let budget = state.budget { state.budget = budget + 1 }
        }
    }

    /// Waits until quota is back, or ends the reads from this upstream.
    private func awaitQuota(_ wait: Duration?, in upstream: UpstreamName) async throws(Failure) {
        let now = time.wall()
        let told: WallTime? =
            if let wait { now + wait } else {
                await mirror.quota(of: upstream).resetsAt.flatMap { $0 > now ? $0 : nil }
            }
        guard options.waits else {
            let reason = StopReason.quota(resetsAt: told)
            state.withLock { $0.exhausted[upstream] = reason }
            throw stopped(reason)
        }
        // A second more, for clocks that differ.
        let until = (told ?? now + Self.unknownReset) + .seconds(1)
        observe(.waiting(upstream, until: until))
        await time.sleep(.milliseconds(until.milliseconds - now.milliseconds))
        if Task.isCancelled { throw stopped(.interrupted) }
        observe(.resumed(upstream))
    }

    private func failure(_ error: MirrorError) -> Failure {
        Task.isCancelled ? stopped(.interrupted) : .failed(error)
    }

    private func stopped(_ reason: StopReason) -> Failure {
        state.withLock { if $0.stop == nil { $0.stop = reason } }
        return .stopped(reason)
    }
}

/// Asks again for what failed and may succeed a moment later, as ocync does: three times, after 1, 2 and 4 seconds.
struct Patience {
    private static let pauses: [Duration] = [.seconds(1), .seconds(2), .seconds(4)]
    private static let longest = Duration.seconds(120)

    private let time: Timekeeper

    init(_ time: Timekeeper) {
        self.time = time
    }

    func overcome<Value>(
        _ attempt: () async throws(MirrorError) -> Value
    ) async throws(MirrorError) -> Value {
        for pause in Self.pauses {
            do throws(MirrorError) {
                return try await attempt()
            } catch {
                guard error.isTransient, !Task.isCancelled else { throw error }
                await time.sleep(min(max(pause, error.retryAfter ?? .zero), Self.longest))
            }
        }
        return try await attempt()
    }
}

extension MirrorError {
    fileprivate var retryAfter: Duration? {
        switch self {
        case .limited(_, let wait), .unavailable(_, let wait): wait
        default: nil
        }
    }
}
