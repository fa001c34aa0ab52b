import Logging
import OCI

/// Reads all that is stored again, slowly and over and over, so that what a disk loses is found before a client does.
///
/// How far it is outlives the process. One ``run()`` at a time.
package final class Scrubber: Sendable {
    private let caretaker: Caretaker
    private let plan: ScrubPlan

    package init(_ caretaker: Caretaker, plan: ScrubPlan = ScrubPlan()) {
        self.caretaker = caretaker
        self.plan = plan
    }

    /// Scrubs until the task is cancelled.
    package func run() async {
        // Of an index that is being rebuilt, a round would see next to nothing.
        await caretaker.mirror.stockTaken()
        while !Task.isCancelled {
            let time = caretaker.time
            var record = caretaker.index.bookmark(.scrub).flatMap { ScrubRecord(bytes: $0) }
            if let wait = plan.pause(after: record, at: time.wall()) {
                await time.sleep(wait)
                record = nil
                guard !Task.isCancelled else { return }
            }
            await round(record ?? ScrubRecord(startedAt: time.wall(), place: .start))
        }
    }

    /// One round, or the rest of one.
    private func round(_ record: ScrubRecord) async {
        let time = caretaker.time
        let totals = caretaker.index.totals()
        var total = VerifyTotal()
        let rate = plan.bytesPerSecond(for: totals.blobBytes + totals.manifestBytes)
        do throws(CareError) {
            try await caretaker.look(
                from: record.place ?? .start,
                Pace(bytesPerSecond: rate, time: time)
            ) { object, verdict throws(CareError) in
                total.objects += 1
                total.bytes += object.size
                guard let verdict else { return }
                if try await caretaker.mender.treat(object, verdict, repairs: false) != nil { total.damaged += 1 }
            } bookmark: { place in
                .bookmark(.scrub, ScrubRecord(startedAt: record.startedAt, place: place).bytes)
            }
            caretaker.logger.info(
                "everything was read again",
                metadata: [
                    "objects": "\(total.objects)", "bytes": "\(total.bytes)", "damaged": "\(total.damaged)",
                ]
            )
        } catch {
            guard error != .stopped else { return }
            caretaker.logger.error("the scrub cannot go on now", metadata: ["error": "\(error)"])
        }
        // However small the cache, and however wrong the clock: no round follows another at once.
        await time.sleep(plan.shortestPause)
    }
}

/// How fast, and how often.
package struct ScrubPlan: Hashable, Sendable {
    /// In what time everything is read once.
    package var period: Duration
    /// In bytes a second: as slow and as fast as it may be, whatever the period.
    package var rates: ClosedRange<Int>
    package var shortestPause: Duration

    package init(
        period: Duration = .seconds(7 * 86_400),
        rates: ClosedRange<Int> = 1_000_000...20_000_000,
        shortestPause: Duration = .seconds(60)
    ) {
        self.period = period
        self.rates = rates
        self.shortestPause = shortestPause
    }

    func bytesPerSecond(for bytes: Int) -> Int {
        // A part of the period is for what the disk itself takes.
        let needed = Double(bytes) / (period / .seconds(1)) * 1.1
        return min(max(rates.lowerBound, Int(needed)), rates.upperBound)
    }

    /// How long to wait before the next round; `nil` when a round is to be begun, or to be gone on with.
    func pause(after record: ScrubRecord?, at now: WallTime) -> Duration? {
        guard let record, record.place == nil, let age = record.startedAt.age(at: now), age < period else { return nil }
        return period - age
    }
}

/// How far the scrub is.
struct ScrubRecord: Hashable, Sendable {
    /// When the round began.
    var startedAt: WallTime
    /// `nil` when it has ended.
    var place: CarePlace?

    init(startedAt: WallTime, place: CarePlace?) {
        self.startedAt = startedAt
        self.place = place
    }

    /// Reads ``bytes``.
    ///
    /// Fails for what is none.
    init?(bytes: [UInt8]) {
        guard bytes.count >= 8 else { return nil }
        startedAt = WallTime(milliseconds: bytes.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) })
        let rest = bytes.dropFirst(8)
        place = nil
        guard !rest.isEmpty else { return }
        guard let place = CarePlace(bytes: rest) else { return nil }
        self.place = place
    }

    var bytes: [UInt8] {
        let time = (0..<8).map { UInt8(truncatingIfNeeded: startedAt.milliseconds >> Int64(8 * (7 - $0))) }
        return time + (place?.bytes ?? [])
    }
}
