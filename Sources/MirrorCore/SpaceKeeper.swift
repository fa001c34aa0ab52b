import Locking
import Logging
import OCI

/// Keeps the cache within its bounds.
///
/// What flights write is promised to them first, and what was used least recently makes room for it: DESIGN rule 18.
///
/// 1. Blobs, spools and promises together are at most `max_size`: a flight writes nothing that it was not promised.
/// 2. `min_free` of the file system stays free, whoever fills it.
/// 3. What is being sent, in flight or pinned stays.
/// 4. Manifests cost quota: they have a bound of their own, and never make room for blobs.
/// 5. The index forgets first, and then the file goes: no file is known that is not there.
final class SpaceKeeper: Sendable {
    private let state: Locked<State>
    /// The last of the rounds, which run one after another.
    private let rounds = Locked(Rounds())
    private let evictor: Evictor
    private let store: any BlobStore
    private let index: any CacheInventory
    let limits: SpaceLimits
    private let time: Timekeeper

    private struct State {
        var account: SpaceAccount
        /// Those that have promises.
        var flights: [Digest: Flight] = [:]
    }

    private struct Rounds {
        var last: Task<Void, Never>?
        var isTidyPlanned = false
        /// When room was last made in the index.
        var indexCleared: Duration?
    }

    init(
        _ limits: SpaceLimits,
        store: any BlobStore,
        index: any CacheInventory,
        time: Timekeeper,
        metrics: Metrics,
        logger: Logger
    ) {
        self.limits = limits
        self.store = store
        self.index = index
        self.time = time
        state = Locked(State(account: SpaceAccount(limits)))
        evictor = Evictor(store: store, index: index, metrics: metrics, logger: logger)
        if limits.maxSize != .max { metrics.set(.cacheLimit, to: limits.maxSize) }
    }

    // MARK: - Promises

    /// Raises what a flight is promised to `total` bytes, if there is room for it now.
    ///
    /// On any thread: it waits for nothing.
    func reserve(_ total: Int, for flight: Flight) -> Bool {
        while true {
            let epoch = state.withLock { $0.account.epoch }
            let stored = stored
            let answer: Bool? = state.withLock { state in
                // What passed meanwhile from a promise to the index would be counted nowhere.
                guard state.account.epoch == epoch else { return nil }
                guard state.account.raise(flight.digest, to: total, stored: stored) else { return false }
                state.flights[flight.digest] = flight
                return true
            }
            if let answer { return answer }
        }
    }

    /// Raises what a flight is promised to `total` bytes, and gives up what is needed for it; `false` when that is not enough.
    func makeRoom(_ total: Int, for flight: Flight) async -> Bool {
        if reserve(total, for: flight) { return true }
        // What can never fit in costs nobody else's content.
        guard total <= limits.maxSize else { return false }
        // What one round frees, others may take before this flight asks again.
        for _ in 0..<Self.mostRounds {
            await round { [self] in
                await measure()
                guard shortage(of: total, for: flight) <= stored else { return }
                await evictor.evictBlobs(
                    sparing: { self.isSpared($0, for: flight) },
                    until: { self.reserve(total, for: flight) ? 0 : self.shortage(of: total, for: flight) },
                    giving: leaving
                )
            }
            if reserve(total, for: flight) { return true }
        }
        return false
    }

    private static let mostRounds = 4

    /// The device is full whatever the account says: gives up at least so many bytes; `false` when there was nothing.
    func makeRoomOnDevice(_ bytes: Int) async -> Bool {
        let freed = Locked(0)
        await round { [self] in
            await evictor.evictBlobs(
                sparing: isReserved,
                until: { bytes - freed.withLock { $0 } },
                giving: { count in
                    if count < 0 { freed.withLock { $0 -= count } }
                    self.leaving(count)
                }
            )
            await measure()
        }
        return freed.withLock { $0 } > 0
    }

    /// A flight has ended, and so many of its bytes stay: in the index, or in a spool that waits.
    func release(_ flight: Flight, written: Int) {
        state.withLock { state in
            state.account.release(flight.digest, written: written)
            state.flights[flight.digest] = nil
        }
        tidyIfDue()
    }

    private func shortage(of total: Int, for flight: Flight) -> Int {
        let stored = stored
        return state.withLock { state in
            state.account.shortage(of: total - (state.account.reservations[flight.digest] ?? 0), stored: stored)
        }
    }

    /// Whether it is being evicted at this moment.
    func isLeaving(_ digest: Digest) -> Bool { evictor.isLeaving(digest) }

    /// What is stored or waits; a spool whose flight has a promise is in that, so that it may be taken up and left.
    private var stored: Int {
        let reserved = state.withLock { $0.account.reservations }
        let waiting = store.unfinishedBlobs.reduce(0) { $0 + (reserved[$1.digest] == nil ? $1.received : 0) }
        return index.totals().blobBytes + waiting
    }

    /// What spools have, those that wait and those of flights.
    var spooledBytes: Int {
        let flying = state.withLock { Array($0.flights.values) }
        let waiting = store.unfinishedBlobs.filter { blob in !flying.contains { $0.digest == blob.digest } }
        return flying.reduce(0) { $0 + $1.received } + waiting.reduce(0) { $0 + $1.received }
    }

    private func isReserved(_ digest: Digest) -> Bool {
        state.withLock { $0.account.reservations[digest] != nil }
    }

    private func isSpared(_ digest: Digest, for flight: Flight) -> Bool {
        digest == flight.digest || isReserved(digest)
    }

    /// Counts what is on its way out: positive before the index forgets it, negative when the files are gone.
    private func leaving(_ bytes: Int) {
        state.withLock { state in
            if bytes > 0 { state.account.leaves(bytes) } else { state.account.left(-bytes) }
        }
    }

    // MARK: - Ahead of need

    /// Starts a round when the cache is above its high watermark or has too many manifests; returns at once.
    func tidyIfDue() {
        let totals = index.totals()
        let isFull = totals.blobBytes + store.spooledBytes > limits.highWatermark
        guard isFull || totals.manifestBytes > limits.maxManifestsSize else { return }
        let isNew = rounds.withLock { rounds in
            defer { rounds.isTidyPlanned = true }
            return !rounds.isTidyPlanned
        }
        if isNew { enqueue { await self.tidy() } }
    }

    /// Looks at the device, and gives up what is above the bounds: now and then, since others fill it too.
    func look() async {
        await round { await self.tidy() }
    }

    private func tidy() async {
        rounds.withLock { $0.isTidyPlanned = false }
        await measure()
        let isAbove = stored > limits.highWatermark
        await evictor.evictBlobs(
            sparing: isReserved,
            until: { self.excess(above: isAbove ? self.limits.lowWatermark : .max) },
            giving: leaving
        )
        await evictor.evictManifests { [self] in index.totals().manifestBytes - limits.maxManifestsSize }
    }

    /// How many bytes are too many, by a mark of the cache or by what the device has free.
    private func excess(above mark: Int) -> Int {
        let stored = stored
        let device = state.withLock { $0.account.shortage(of: 0, stored: stored) }
        return max(stored - mark, device)
    }

    private func measure() async {
        guard let space = try? await store.space() else { return }
        let written = state.withLock { Array($0.flights.values) }.reduce(0) { $0 + $1.received }
        state.withLock { $0.account.measured(free: space.free, written: written) }
    }

    // MARK: - The index

    private static let indexInterval = Duration.seconds(60)

    /// The index is full: forgets what is known of content that is not stored, and gives up some of what is; returns at once.
    ///
    /// What cannot be recorded meanwhile is served all the same, from its file.
    func makeRoomInIndex() {
        let now = time.monotonic()
        let isDue = rounds.withLock { rounds in
            if let last = rounds.indexCleared, now - last < Self.indexInterval { return false }
            rounds.indexCleared = now
            return true
        }
        guard isDue else { return }
        enqueue { [self] in await evictor.clearIndex(olderThan: time.wall(), giving: leaving) }
    }

    // MARK: - One round at a time

    /// Runs `body` while nothing is being given up: what it finds on the disk is not on its way out.
    func betweenRounds(_ body: @escaping @Sendable () async -> Void) async {
        await round(body)
    }

    /// Returns when the digest is not on its way out: a file that came now would go with the one before.
    func whenGone(_ digest: Digest) async {
        while isLeaving(digest) { await round {} }
    }

    private func round(_ body: @escaping @Sendable () async -> Void) async {
        await enqueue(body).value
    }

    @discardableResult
    private func enqueue(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        rounds.withLock { rounds in
            let previous = rounds.last
            let task = Task {
                await previous?.value
                await body()
            }
            rounds.last = task
            return task
        }
    }

    /// Whether no round is under way, for tests; and for the end.
    func settled() async {
        await rounds.withLock { $0.last }?.value
    }
}
