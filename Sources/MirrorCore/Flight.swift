import Locking
import OCI

/// One fetch of a blob, shared by all who want it.
///
/// It belongs to the cache and not to a client: it goes on when those who asked have left. Bytes go from the transfer
/// thread through the hash into a spool file; readers follow the file. Nothing is held in memory, and no reader can slow
/// it down. ``FlightTable`` starts it and drops it when it has landed.
///
/// A flight has sources: repositories whose upstreams are known, or believed, to have the blob, and registries that may
/// have it too. When one of them refuses, those who came by that repository get the answer if it has no other source, and
/// the flight goes on from the next.
final class Flight: Sendable {
    let digest: Digest
    let errand: Errand
    private let time: Timekeeper
    private let state: Locked<State>

    struct State {
        var progress = FlightState()
        var sources: [FlightSource]
        /// What the sources that were given up answered.
        var refusals: [Repository: MirrorError] = [:]
        /// Told when the head has come, by source.
        var heads: [Repository: Promise<Result<Int?, MirrorError>>] = [:]
        /// Whether the head may go out: it has come, and all is known of the length that can be known.
        var isHeadAnnounced = false
        var lastWake = Duration.zero
        var bytesSinceWake = 0
        var isWakePlanned = false
        var handover: Handover?
    }

    /// The length that the repository's own manifest or upstream gives: what a content source has to agree with.
    let claimedLength: Int?
    /// Whether it may go on from what an earlier flight has left: see ``FlightRoute``.
    let mayTakeUp: Bool

    init(_ digest: Digest, by route: FlightRoute, for errand: Errand, time: Timekeeper) {
        self.digest = digest
        self.errand = errand
        self.time = time
        claimedLength = route.length
        mayTakeUp = route.mayTakeUp
        state = Locked(State(sources: route.sources))
    }

    // MARK: - Joining

    func hasSource(_ repository: Repository) -> Bool {
        state.withLock { $0.sources.contains { $0.repository == repository } }
    }

    /// Adds a repository that is proved to have the blob.
    ///
    /// Returns `false` when the flight has been given up meanwhile.
    func add(_ repository: Repository) -> Bool {
        let source = FlightSource(repository: repository)
        return state.withLock { state in
            guard !state.sources.isEmpty else { return false }
            if !state.sources.contains(source) { state.sources.append(source) }
            state.refusals[repository] = nil
            return true
        }
    }

    /// The length of the blob once the head has come; `nil` when the deadline comes first.
    func head(for repository: Repository, until deadline: Deadline) async -> Result<Int?, MirrorError>? {
        let promise = state.withLock { state in
            if let promise = state.heads[repository] { return promise }
            let promise = Promise<Result<Int?, MirrorError>>()
            if let error = state.refusals[repository] {
                promise.fulfil(.failure(error))
            } else if case .failed(let error) = state.progress.phase {
                promise.fulfil(.failure(error))
            } else if state.isHeadAnnounced {
                promise.fulfil(.success(state.progress.length))
            } else {
                state.heads[repository] = promise
            }
            return promise
        }
        return await promise.value(until: deadline)
    }

    /// The length, where it is known by now.
    var length: Int? {
        state.withLock { $0.progress.length }
    }

    /// Whether the digest has matched.
    var isVerified: Bool {
        state.withLock { state in
            guard case .verified = state.progress.phase else { return false }
            return true
        }
    }

    // MARK: - Progress, for the transfer

    /// How far the spool of this generation is.
    var received: Int {
        state.withLock { $0.progress.received }
    }

    var generation: Int {
        state.withLock { $0.progress.generation }
    }

    /// The source to ask, or `nil` when all have refused.
    func currentSource() -> FlightSource? {
        state.withLock { $0.sources.first }
    }

    /// The present source does not have it: those who came by it are told, and the next one is asked.
    func sourceRefused(_ source: FlightSource, _ error: MirrorError) {
        let promise: Promise<Result<Int?, MirrorError>>? = state.withLock { state in
            state.sources.removeAll { $0 == source }
            guard !state.sources.contains(where: { $0.repository == source.repository }) else { return nil }
            state.refusals[source.repository] = error
            return state.heads.removeValue(forKey: source.repository)
        }
        promise?.fulfil(.failure(error))
    }

    func began(file: any StoredFile, length: Int?, received: Int = 0) {
        act { $0.progress.began(file: file, length: length, received: received) }
        if length != nil { announceHead() }
    }

    /// The length is known from elsewhere, or nothing tells it: the head may go out.
    func settleLength(_ length: Int?) {
        state.withLock { if let length { $0.progress.learned(length: length) } }
        announceHead()
    }

    private func announceHead() {
        let (promises, length) = state.withLock { state in
            defer { state.heads = [:] }
            state.isHeadAnnounced = true
            return (Array(state.heads.values), state.progress.length)
        }
        for promise in promises { promise.fulfil(.success(length)) }
    }

    /// Counts bytes that are in the spool, and wakes readers: at most once in 256 KiB or 5 ms.
    func landed(bytes count: Int) {
        let now = time.monotonic()
        let (wakes, isLater) = state.withLock { state -> (FlightState.Wakes, Bool) in
            state.progress.received(bytes: count)
            state.bytesSinceWake += count
            if state.bytesSinceWake >= Self.wakeBytes || now - state.lastWake >= Self.wakeInterval {
                return (state.takeWakes(at: now), false)
            }
            defer { state.isWakePlanned = true }
            return ([], !state.isWakePlanned)
        }
        for wake in wakes { wake() }
        if isLater { planWake() }
    }

    private static let wakeBytes = 256 << 10
    private static let wakeInterval = Duration.milliseconds(5)

    /// Bytes have landed that nobody was told of; should the upstream pause now, readers still get them.
    private func planWake() {
        Task { [weak self, time] in
            await time.sleep(Self.wakeInterval)
            self?.act { state in state.takeWakes(at: time.monotonic()) }
        }
    }

    func mismatched() {
        act { $0.progress.mismatched() }
    }

    func verified(commonPrefixes: [Int]) {
        act { $0.progress.verified(commonPrefixes: commonPrefixes) }
        announceHead()
    }

    func failed(_ error: MirrorError) {
        let (wakes, promises) = state.withLock { state in
            defer { state.heads = [:] }
            state.sources = []
            return (state.progress.failed(error), Array(state.heads.values))
        }
        for wake in wakes { wake() }
        for promise in promises { promise.fulfil(.failure(error)) }
    }

    /// There is no room for it: every reader goes on by itself.
    ///
    /// `length` is what registries told of it, where they did.
    func passed(_ handover: Handover, length: Int?) {
        act { state in
            if let length { state.progress.learned(length: length) }
            state.sources = []
            state.handover = handover
            return state.progress.passed()
        }
        announceHead()
    }

    private func act(_ event: (inout State) -> FlightState.Wakes) {
        let wakes = state.withLock { event(&$0) }
        for wake in wakes { wake() }
    }

    // MARK: - Readers

    /// What a reader does next; `nil` when it has to go on by itself, from ``handover``.
    func next(
        for position: inout FlightState.Position,
        wake: @escaping @Sendable () -> Void
    ) -> ReadStep? {
        let current = position
        let (step, moved) = state.withLock { state in
            var position = current
            let step = state.progress.next(for: &position, wake: wake)
            return (step, position)
        }
        position = moved
        return step
    }

    /// What it leaves to its readers, if there is no room for it.
    var handover: Handover? {
        state.withLock { $0.handover }
    }
}

extension Flight.State {
    mutating func takeWakes(at now: Duration) -> FlightState.Wakes {
        lastWake = now
        bytesSinceWake = 0
        isWakePlanned = false
        return progress.takeWaiting()
    }
}
