import Logging
import OCI

/// Brings one flight home: transfers, resumes, changes source, verifies, lands.
struct FlightRunner: Sendable {
    let flight: Flight
    let context: FlightContext
    let sink: FlightSink

    init(_ flight: Flight, context: FlightContext) {
        self.flight = flight
        self.context = context
        let keeper = context.keeper
        sink = FlightSink(flight: flight, store: context.store) {
            keeper.reserve($0, for: flight)
        } whenLengthIsUnknown: {
            // While the body is already coming.
            Task { flight.settleLength(await Self.askedLength(of: flight, context)) }
        }
    }

    /// Whether as many bytes have come as the blob has.
    private var isComplete: Bool {
        flight.length.map { $0 == flight.received } ?? false
    }

    /// How a flight ended.
    enum End: Sendable {
        /// The digest matched: readers are being served, and the blob is to be landed.
        case verified(source: FlightSource)
        case failed(MirrorError)
        /// There is no room for it, as its head was told by that source.
        case passed(Handover, length: Int?, FlightSource)
    }

    /// The spools that were wrong, and who filled the present one.
    struct Journey {
        var wrongSpools: [any Spool] = []
        /// Content sources that bytes of the present spool came from.
        var contributors: Set<FlightSource> = []
        var hasUpstreamBeenWrong = false
        /// Whether some of the present spool is from an earlier flight, so that nobody is to blame if it is wrong.
        var isTakenUp = false
        /// Failures in a row.
        var failures = 0
        /// How long it was kept waiting by an open circuit since the last progress.
        var held = Duration.zero
        /// How often in a row the device was full.
        var timesFull = 0
    }

    /// Transfers until the digest matches, or there is nothing left to try.
    ///
    /// Tells the flight of a success, so that readers get the tail; a failure is for the caller to tell, after it has
    /// taken the flight out of the table.
    func transfer() async -> End {
        var journey = Journey()
        journey.isTakenUp = await takeUp()
        let end = Task.isCancelled && !isComplete ? await failed(.shuttingDown) : await transfer(&journey)
        for spool in journey.wrongSpools { spool.discard() }
        return end
    }

    private func transfer(_ journey: inout Journey) async -> End {
        while let source = flight.currentSource() {
            if !isComplete, let error = await leg(source, &journey), !isComplete, !isOutOfRange(error) {
                if let end = await react(to: error, from: source, &journey) { return end }
                continue
            }
            // Broken off, or out of range, behind the last byte: all of it is here all the same, and the digest decides.
            guard let spool = sink.spool else { return await failed(.unavailable(reason: "empty", retryAfter: nil)) }
            if spool.verify() {
                flight.verified(commonPrefixes: await commonPrefixes(of: journey.wrongSpools, with: spool))
                return .verified(source: source)
            }
            guard startOver(after: source, &journey) else { return await failed(.corrupt) }
        }
        return await failed(journey.wrongSpools.isEmpty ? .blobUnknown : .corrupt)
    }

    /// Whether there is nothing behind what is here: a process that was killed before it landed a blob has left all of it.
    private func isOutOfRange(_ error: UpstreamError) -> Bool {
        error == .rangeRefused && flight.received > 0
    }

    /// One transfer from a source, on from what is here; returns why it ended early.
    private func leg(_ source: FlightSource, _ journey: inout Journey) async -> UpstreamError? {
        let before = flight.received
        defer {
            let progress = flight.received - before
            if progress > 0, source.contentSource != nil { journey.contributors.insert(source) }
            if progress >= Patience.progressThatCounts {
                (journey.failures, journey.held, journey.timesFull) = (0, .zero, 0)
            }
        }
        do throws(UpstreamError) {
            try await attempt(source, from: before)
            return nil
        } catch {
            return error
        }
    }

    /// Goes on to the next source, or waits for the next try; returns how the flight ended if neither is left.
    private func react(
        to error: UpstreamError,
        from source: FlightSource,
        _ journey: inout Journey
    ) async -> End? {
        if error == .refusedBySink {
            switch await seekRoom(&journey) {
            case .found: return Task.isCancelled ? await failed(.shuttingDown) : nil
            case .vain: return await passed(by: source)
            case .unneeded: break
            }
        }
        // Who was told the length by what an earlier flight has noted cannot be told another now: the next starts anew.
        if journey.isTakenUp, sink.isDoubtful, source.contentSource == nil { return await failed(.corrupt) }
        switch disposition(of: error, journey, source) {
        case .nextSource(let refusal):
            flight.sourceRefused(source, refusal)
            return flight.currentSource() == nil ? await failed(refusal) : nil
        case .retry(let delay):
            journey.failures += 1
            log("blob transfer broke, going on", source, error, ["received": "\(flight.received)"])
            if flight.received > 0 { context.metrics.add(to: .flightResumes) }
            await context.time.sleep(delay)
            return Task.isCancelled ? await failed(.shuttingDown) : nil
        case .hold(let delay):
            if journey.held == .zero { log("blob transfer waits for its upstream", source, error) }
            journey.held += delay
            await context.time.sleep(delay)
            return Task.isCancelled ? await failed(.shuttingDown) : nil
        case .fail(let reason):
            log("blob transfer given up", source, error)
            return await failed(reason)
        }
    }

    /// Sets a wrong spool aside, and who is to blame for it; returns `false` when the upstream was wrong twice.
    private func startOver(after source: FlightSource, _ journey: inout Journey) -> Bool {
        context.metrics.add(to: .digestMismatches)
        log("blob has another digest than asked for", source, nil, ["received": "\(flight.received)"])
        if journey.contributors.isEmpty, !journey.isTakenUp {
            guard !journey.hasUpstreamBeenWrong else { return false }
            journey.hasUpstreamBeenWrong = true
        }
        for contributor in journey.contributors {
            noteFailure(.wrongBytes, of: contributor)
            flight.sourceRefused(contributor, .corrupt)
        }
        journey.contributors = []
        journey.isTakenUp = false
        if let spool = sink.releaseSpool() { journey.wrongSpools.append(spool) }
        flight.mismatched()
        return true
    }

    /// Makes a verified blob durable and visible, and records who is proved to have it.
    func land(from source: FlightSource) async {
        guard let spool = sink.spool else { return }
        do {
            await context.keeper.whenGone(flight.digest)
            try await land(spool)
            let membership = Membership(mediaType: MediaType.octetStream, provedAt: context.time.wall())
            try await context.index.commit([
                .blob(flight.digest, size: flight.received),
                .membership(flight.digest, .blob, in: source.repository, membership),
            ])
            context.publishTotals()
        } catch {
            // The clients have their bytes all the same. What has landed is adopted by the next who asks; else it waits.
            await spool.keep()
            if let error = error as? IndexError, error == .full { context.keeper.makeRoomInIndex() }
            log("blob could not be stored", source, nil, ["error": "\(error)"])
        }
    }

    // MARK: - One attempt

    private func attempt(_ source: FlightSource, from offset: Int) async throws(UpstreamError) {
        guard let registry = context.registry(of: source) else { throw .notFound }
        sink.expect(length: source.contentSource == nil ? nil : flight.claimedLength)
        let askedAt = context.time.monotonic()
        do throws(UpstreamError) {
            let name = source.repository.name
            try await registry.blob(flight.digest, in: name, from: offset, into: sink, for: flight.errand)
            context.standings.answered(source.registry, askedAt: askedAt)
        } catch {
            context.standings.failed(error, source.registry, isFree: false, askedAt: askedAt)
            throw error
        }
        if let length = flight.length, flight.received < length { throw .unavailable(.truncated) }
    }

    /// What follows from a failed attempt.
    private enum Disposition {
        case nextSource(MirrorError)
        case retry(after: Duration)
        /// Nothing was asked, so it is no failure of this transfer.
        case hold(for: Duration)
        case fail(MirrorError)
    }

    private func disposition(of error: UpstreamError, _ journey: Journey, _ source: FlightSource) -> Disposition {
        let outcome = MirrorError(error, missing: .blobUnknown)
        if source.contentSource != nil, error != .refusedBySink, error != .cancelled {
            // The upstream is next, and goes on from the last byte: nobody waits for a source to recover.
            noteFailure(.error(error), of: source)
            return .nextSource(outcome)
        }
        switch error {
        case .notFound, .denied, .credentialsRefused, .headUnsupported, .unusable, .reserved:
            return .nextSource(outcome)
        case .cancelled: return .fail(.shuttingDown)
        case .refusedBySink:
            let refusal = sink.takeRefusal()
            if case .store(let reason) = refusal {
                log("blob cannot be written to the data directory", source, nil, ["reason": "\(reason)"])
                return .fail(MirrorError(storage: reason))
            }
            if source.contentSource != nil {
                log("content source has another blob than asked for", source, nil)
                // Either may be wrong, the source or the manifest that gave the length: anybody can write one.
                noteFailure(.error(.unusable("another length")), of: source)
                return .nextSource(.corrupt)
            }
        case .pullLimited(let wait?), .abuseLimited(let wait?):
            // Those who wait for the head are better told than kept.
            if flight.received == 0, wait > Self.longestWaitBeforeHead { return .nextSource(outcome) }
        case .unavailable(.circuitOpen(let wait)) where flight.received > 0 && journey.held < Patience.longestHold:
            return .hold(for: Patience.delay(forCircuit: wait))
        case .unavailable, .pullLimited, .abuseLimited: break
        }
        let retries = context.policies[source.repository.upstream]?.retries ?? 0
        // Before the head, clients can still go elsewhere: they are not held for long.
        let limit = flight.received > 0 ? retries : min(retries, Self.retriesBeforeHead)
        guard journey.failures < limit else { return .nextSource(outcome) }
        return .retry(after: Patience.delay(after: journey.failures, error))
    }

    private static let retriesBeforeHead = 2
    private static let longestWaitBeforeHead = Duration.seconds(5)

    private func noteFailure(_ failure: SourceHealth.Failure, of source: FlightSource) {
        guard let name = source.contentSource else { return }
        context.contentSources.note(failure, of: name, flight.digest, in: source.repository)
    }

    /// Asks for the length that a response did not tell.
    static func askedLength(of flight: Flight, _ context: FlightContext) async -> Int? {
        guard let source = flight.currentSource(), let registry = context.registry(of: source) else { return nil }
        let name = source.repository.name
        let told = (try? await registry.headBlob(flight.digest, in: name, for: flight.errand)) ?? nil
        // What some manifest claims comes last: anybody can write a manifest.
        return told ?? context.index.claimedSize(of: flight.digest)
    }

    /// Leaves what has come to the next flight, unless it is wrong.
    func failed(_ error: MirrorError) async -> End {
        if let spool = sink.releaseSpool() {
            if error == .corrupt || sink.isDoubtful {
                spool.discard()
            } else {
                await spool.keep()
            }
        }
        return .failed(error)
    }

    func log(
        _ message: Logger.Message,
        _ source: FlightSource,
        _ error: UpstreamError?,
        _ metadata: Logger.Metadata = [:]
    ) {
        var metadata = metadata
        metadata["digest"] = "\(flight.digest)"
        metadata["from"] = "\(source.registry)"
        if let error { metadata["error"] = "\(error.label)" }
        context.logger.warning(message, metadata: metadata)
    }

    private func commonPrefixes(of spools: [any Spool], with verified: any Spool) async -> [Int] {
        var prefixes: [Int] = []
        for spool in spools {
            prefixes.append((try? await verified.commonPrefix(with: spool)) ?? 0)
        }
        return prefixes
    }
}
