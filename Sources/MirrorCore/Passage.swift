import Locking
import Logging
import OCI

/// One client's own fetch of a blob that there is no room for: DESIGN rule 18, the exception to rule 11.
///
/// Nothing of it is written. The upstream is held back to the client's pace: what is in memory is bounded by
/// ``PassageState/capacity``. It ends when the client leaves, whose reader starts and ends it through ``Passages``.
final class Passage: BlobSink {
    private struct State {
        var progress: PassageState
        var file: (any StoredFile)?
        /// Bytes that the registry sends again, because it ignored the range.
        var excess = 0
        /// Whether a registry has said of the blob what does not go with what was told before.
        var isDoubtful = false
        /// Tells the client's reader, which waits.
        var wake: (@Sendable () -> Void)?
        /// Lets the transfer, which rests, go on.
        var goOn: (@Sendable () -> Void)?
        /// Since when it rests.
        var restsSince: Duration?
        /// Fulfilled when a transfer that was let go may start again; there while one was.
        var pause: Promise<Void>?

        /// Whom to tell that there is something for the client.
        mutating func newsWake() -> (@Sendable () -> Void)? {
            progress.hasNews ? wake.take() : nil
        }
    }

    private let digest: Digest
    private let repository: Repository
    private let errand: Errand
    private let context: FlightContext
    private let verifier: (any BlobVerifier)?
    private let state: Locked<State>

    /// Goes on from where a flight has left a client, with what it hands over.
    init(
        _ digest: Digest,
        in repository: Repository,
        for errand: Errand,
        _ progress: PassageState,
        after handover: Handover,
        _ context: FlightContext
    ) {
        self.digest = digest
        self.repository = repository
        self.errand = errand
        self.context = context
        verifier = progress.reachesEnd ? handover.verifier() : nil
        state = Locked(State(progress: progress, file: handover.file))
    }

    // MARK: - For the client's reader, on its event loop

    func next(wake: @escaping @Sendable () -> Void) -> ReadStep {
        let (step, file, wakes) = state.withLock { state in
            let step = state.progress.next()
            if case .wait = step { state.wake = wake }
            let file = state.file
            // The room that it takes on the disk is given back when its last reader is past it.
            if state.progress.isPastFile { state.file = nil }
            return (step, file, state.progress.isLow ? (state.goOn.take(), state.pause) : (nil, nil))
        }
        wakes.0?()
        wakes.1?.fulfil(())
        switch step {
        case .file(let range): return file.map { .send($0, range) } ?? .failed(.corrupt)
        case .bytes(let bytes): return .sendBytes(bytes)
        case .wait: return .wait
        case .finished: return .finished
        case .failed(let error): return .failed(error)
        }
    }

    // MARK: - For the transfer, on its thread

    var mayBeFull: Bool { true }

    func begin(_ head: BlobHead) -> Bool {
        state.withLock { state in
            let received = state.progress.received
            let isAsTold = state.progress.length == head.length || state.progress.length == nil || head.length == nil
            guard head.offset == received || head.offset == 0, isAsTold else {
                state.isDoubtful = true
                return false
            }
            if let length = head.length { state.progress.learned(length: length) }
            state.excess = received - head.offset
            return true
        }
    }

    func receive(_ bytes: Span<UInt8>) -> BlobIntake {
        let (excess, hasRoom, isOver) = state.withLock { state in
            state.restsSince = nil
            let excess = min(state.excess, bytes.count)
            let fresh = bytes.count - excess
            state.isDoubtful = state.progress.length.map { state.progress.received + fresh > $0 } ?? false
            return (excess, state.progress.hasRoom(for: fresh), state.isDoubtful || state.pause != nil)
        }
        if isOver { return .refused }
        guard hasRoom else { return .full { [weak self] goOn in self?.rest(until: goOn) } }
        let fresh = bytes.extracting(droppingFirst: excess)
        verifier?.update(fresh)
        let (wake, isEnough) = state.withLock { state in
            state.excess -= excess
            state.progress.take(fresh)
            // Of a range that ends early, the rest need not come.
            return (state.newsWake(), state.progress.hasAll && !state.progress.reachesEnd)
        }
        wake?()
        return isEnough ? .refused : .taken
    }

    private func rest(until goOn: @escaping @Sendable () -> Void) {
        let now = context.time.monotonic()
        let mayGoOn = state.withLock { state in
            if state.progress.isLow { return true }
            state.goOn = goOn
            state.restsSince = now
            return false
        }
        if mayGoOn { goOn() }
    }

    // MARK: - The task

    /// Transfers until all has come and was verified where it has to be, or there is nothing left to try.
    func run() async {
        context.metrics.add(to: .passthrough, repository.upstream.text)
        let error = await withTaskGroup(of: Void.self, returning: MirrorError?.self) { group in
            group.addTask { [self] in await watchRests() }
            defer { group.cancelAll() }
            return await transfer()
        }
        if let error { end { $0.failed(error) } } else { end { $0.completed() } }
    }

    /// Ends it before it has begun.
    func fail(_ error: MirrorError) { end { $0.failed(error) } }

    private func end(_ event: (inout PassageState) -> Void) {
        let wake = state.withLock { state in
            event(&state.progress)
            state.goOn = nil
            return state.newsWake()
        }
        wake?()
    }

    private func transfer() async -> MirrorError? {
        guard let registry = context.upstreams[repository.upstream] else {
            return .upstreamUnknown(repository.upstream.text)
        }
        let reachesEnd = state.withLock { $0.progress.reachesEnd }
        guard !reachesEnd || verifier != nil else { return .unavailable(reason: "storage", retryAfter: nil) }
        var patience = Patience(retries: context.policies[repository.upstream]?.retries ?? 0)
        while !hasAll, !Task.isCancelled {
            let before = received
            guard let error = await leg(registry), !hasAll else { continue }
            if let pause = state.withLock({ $0.pause }) {
                await wait(for: pause)
                continue
            }
            if Task.isCancelled { return .shuttingDown }
            if state.withLock({ $0.isDoubtful }) { return refuse("its length is another than before", .corrupt) }
            guard let delay = patience.delay(after: error, progress: received - before) else {
                return refuse(error.label, MirrorError(error, missing: .blobUnknown))
            }
            if received > 0 { context.metrics.add(to: .flightResumes) }
            await context.time.sleep(delay)
            if Task.isCancelled { return .shuttingDown }
        }
        guard hasAll else { return .shuttingDown }
        if let verifier, !verifier.matches() {
            context.metrics.add(to: .digestMismatches)
            return refuse("it has another digest than asked for", .corrupt)
        }
        return nil
    }

    /// One transfer, on from what has come; returns why it ended early.
    private func leg(_ registry: any Upstream) async -> UpstreamError? {
        let askedAt = context.time.monotonic()
        do throws(UpstreamError) {
            try await registry.blob(digest, in: repository.name, from: received, into: self, for: errand)
        } catch {
            if error != .refusedBySink {
                context.standings.failed(error, repository.upstream, isFree: false, askedAt: askedAt)
            }
            return error
        }
        context.standings.answered(repository.upstream, askedAt: askedAt)
        state.withLock { $0.progress.learned(length: $0.progress.received) }
        return hasAll ? nil : .unavailable(.truncated)
    }

    // MARK: - Long rests

    /// A client that takes nothing for so long holds no place at the upstream, where others wait for one.
    static let longestRest = Duration.seconds(5)

    /// Lets go of a transfer that rests for too long; it goes on when its client does.
    private func watchRests() async {
        while !Task.isCancelled {
            await context.time.sleep(Self.longestRest / 2)
            let now = context.time.monotonic()
            let goOn: (@Sendable () -> Void)? = state.withLock { state in
                guard let since = state.restsSince, now - since >= Self.longestRest, let goOn = state.goOn else {
                    return nil
                }
                (state.goOn, state.restsSince) = (nil, nil)
                state.pause = Promise()
                return goOn
            }
            // To be refused what it hands over then.
            goOn?()
        }
    }

    private func wait(for pause: Promise<Void>) async {
        while !Task.isCancelled, await pause.value(until: context.time.deadline(in: .seconds(3600))) == nil {}
        state.withLock { $0.pause = nil }
    }

    private var received: Int { state.withLock { $0.progress.received } }
    private var hasAll: Bool { state.withLock { $0.progress.hasAll } }

    private func refuse(_ reason: String, _ error: MirrorError) -> MirrorError {
        context.logger.warning(
            "a blob that is passed through breaks off",
            metadata: ["digest": "\(digest)", "from": "\(repository.upstream)", "reason": "\(reason)"]
        )
        return error
    }
}
