import Logging
import OCI

/// What flights need of the rest of the core.
struct FlightContext: Sendable {
    var upstreams: [UpstreamName: any Upstream]
    var contentSources: [UpstreamName: any Upstream]
    var policies: [UpstreamName: UpstreamPolicy]
    var store: any BlobStore
    var index: any CacheIndex
    var ledger: any QuotaLedger
    var time: Timekeeper
    var metrics: Metrics
    var logger: Logger

    /// Brings the gauges of what is stored up to date.
    func publishTotals() {
        let totals = index.totals()
        metrics.set(.cacheBytes, to: totals.blobBytes)
        metrics.set(.cacheObjects, to: totals.blobs, "blob")
        metrics.set(.cacheObjects, to: totals.manifests, "manifest")
    }
}

/// Brings one flight home: transfers, resumes, changes source, verifies, lands.
struct FlightRunner: Sendable {
    let flight: Flight
    let context: FlightContext
    private let sink: FlightSink

    init(_ flight: Flight, context: FlightContext) {
        self.flight = flight
        self.context = context
        sink = FlightSink(flight: flight, store: context.store) {
            Task { await Self.askLength(of: flight, context) }
        }
    }

    /// Whether as many bytes have come as the blob has.
    private var isComplete: Bool {
        flight.length.map { $0 == flight.received } ?? false
    }

    /// How a flight ended.
    enum End: Hashable, Sendable {
        /// The digest matched: readers are being served, and the blob is to be landed.
        case verified(source: Repository)
        case failed(MirrorError)
    }

    /// Transfers until the digest matches, or there is nothing left to try.
    ///
    /// Tells the flight of a success, so that readers get the tail; a failure is for the caller to tell, after it has
    /// taken the flight out of the table.
    func transfer() async -> End {
        var failures = 0
        var firstSpool: (any Spool)?
        defer { firstSpool?.discard() }
        while let source = flight.currentSource() {
            let before = flight.received
            do throws(UpstreamError) {
                try await attempt(source, from: before)
            } catch  where !isComplete {
                if flight.received - before >= Self.progressThatCounts { failures = 0 }
                switch disposition(of: error, after: failures, source) {
                case .nextSource(let refusal):
                    flight.sourceRefused(source, refusal)
                    if flight.currentSource() == nil { return failed(refusal) }
                case .retry(let delay):
                    failures += 1
                    log("blob transfer broke, going on", error, ["received": "\(flight.received)"])
                    if flight.received > 0 { context.metrics.add(to: .flightResumes) }
                    await context.time.sleep(delay)
                    if Task.isCancelled { return failed(.shuttingDown) }
                case .fail(let reason):
                    log("blob transfer given up", error, [:])
                    return failed(reason)
                }
                continue
            } catch {
                // Broken off, or out of range, behind the last byte: all of it is here, and the digest decides.
            }
            guard let spool = sink.spool else { return failed(.unavailable(reason: "empty", retryAfter: nil)) }
            if spool.verify() {
                let common = await commonPrefix(of: firstSpool, with: spool)
                flight.verified(commonPrefix: common)
                return .verified(source: source)
            }
            context.metrics.add(to: .digestMismatches)
            log("blob has another digest than asked for", nil, ["received": "\(flight.received)"])
            guard firstSpool == nil else { return failed(.corrupt) }
            firstSpool = sink.releaseSpool()
            flight.mismatched()
        }
        return failed(.blobUnknown)
    }

    /// Makes a verified blob durable and visible, and records who is proved to have it.
    func land(from source: Repository) async {
        guard let spool = sink.spool else { return }
        do {
            try await spool.land()
            let membership = Membership(mediaType: MediaType.octetStream, provedAt: context.time.wall())
            try await context.index.commit([
                .blob(flight.digest, size: flight.received),
                .membership(flight.digest, .blob, in: source, membership),
            ])
            context.publishTotals()
        } catch {
            // The clients have their bytes all the same; the next one fetches again.
            spool.discard()
            log("blob could not be stored", nil, ["error": "\(error)"])
        }
    }

    // MARK: - One attempt

    private func attempt(_ source: Repository, from offset: Int) async throws(UpstreamError) {
        guard let upstream = context.upstreams[source.upstream] else { throw .notFound }
        try await upstream.blob(flight.digest, in: source.name, from: offset, into: sink, for: flight.errand)
        if let length = flight.length, flight.received < length { throw .unavailable(.truncated) }
    }

    /// What follows from a failed attempt.
    private enum Disposition {
        case nextSource(MirrorError)
        case retry(after: Duration)
        case fail(MirrorError)
    }

    private func disposition(of error: UpstreamError, after failures: Int, _ source: Repository) -> Disposition {
        let outcome = MirrorError(error, missing: .blobUnknown)
        switch error {
        case .notFound, .denied, .credentialsRefused, .headUnsupported, .unusable, .reserved:
            return .nextSource(outcome)
        case .cancelled: return .fail(.shuttingDown)
        case .refusedBySink:
            if case .store(let reason) = sink.takeRefusal() {
                log("blob cannot be written to the data directory", nil, ["reason": "\(reason)"])
                return .fail(MirrorError(storage: reason))
            }
        case .pullLimited(let wait?), .abuseLimited(let wait?):
            // Those who wait for the head are better told than kept.
            if flight.received == 0, wait > Self.longestWaitBeforeHead { return .nextSource(outcome) }
        case .unavailable, .pullLimited, .abuseLimited: break
        }
        let retries = context.policies[source.upstream]?.retries ?? 0
        // Before the head, clients can still go elsewhere: they are not held for long.
        let limit = flight.received > 0 ? retries : min(retries, Self.retriesBeforeHead)
        return failures < limit ? .retry(after: delay(after: failures, error)) : .nextSource(outcome)
    }

    private static let retriesBeforeHead = 2
    private static let longestWaitBeforeHead = Duration.seconds(5)
    /// A transfer that has come so far since the last failure is not failing.
    private static let progressThatCounts = 256 << 10

    /// Doubles from 100 ms to 5 s, with jitter, so that many mirrors do not come back at once.
    private func delay(after failures: Int, _ error: UpstreamError) -> Duration {
        switch error {
        case .pullLimited(let wait?), .abuseLimited(let wait?): return min(wait, .seconds(60))
        default:
            let longest = min(5000, 100 << min(failures, 10))
            return .milliseconds(Int.random(in: longest / 2...longest))
        }
    }

    /// Asks for the length that a response did not tell, while its body is already coming.
    private static func askLength(of flight: Flight, _ context: FlightContext) async {
        guard let source = flight.currentSource(), let upstream = context.upstreams[source.upstream] else {
            return flight.settleLength(nil)
        }
        let told = (try? await upstream.headBlob(flight.digest, in: source.name, for: flight.errand)) ?? nil
        // What some manifest claims comes last: anybody can write a manifest.
        flight.settleLength(told ?? context.index.claimedSize(of: flight.digest))
    }

    private func failed(_ error: MirrorError) -> End {
        sink.releaseSpool()?.discard()
        return .failed(error)
    }

    private func log(_ message: Logger.Message, _ error: UpstreamError?, _ metadata: Logger.Metadata) {
        var metadata = metadata
        metadata["digest"] = "\(flight.digest)"
        if let error { metadata["error"] = "\(error.label)" }
        context.logger.warning(message, metadata: metadata)
    }

    private func commonPrefix(of first: (any Spool)?, with second: any Spool) async -> Int? {
        guard let first else { return nil }
        return (try? await second.commonPrefix(with: first)) ?? 0
    }
}
