/// One account of the ledger as it is kept in the index.
package struct QuotaRecord: Hashable, Sendable {
    /// Which state of the account this is: each one that is kept has a higher number than the one before.
    ///
    /// Records are written whole, and whoever makes one gives it to the index after having let go of the lock, so that
    /// two may come in the wrong order. The index leaves out the one that has been overtaken: see ``IndexChange``.
    package var revision: UInt64 = 0
    package var limit: Int?
    package var window: Duration?
    /// As the upstream last said; after the window's time has passed, the limit.
    package var remaining: Int?
    package var source: String?
    /// When the upstream last said so; `nil` when `remaining` is only what is to be expected.
    package var observedAt: WallTime?
    /// When the present window began, as far as is known; `nil` when nothing has been spent in it.
    package var windowBeganAt: WallTime?
    /// Until when there is nothing left, or the upstream refuses reads.
    package var exhaustedUntil: WallTime?
    /// Reads that were granted, and that `remaining` does not contain yet.
    package var unreflected = 0
    /// What we spent since the window began, by purpose, reads that are under way included.
    package var spentInWindow: [Purpose: Int] = [:]
    /// What we spent since the first start, by purpose.
    package var spentEver: [Purpose: Int] = [:]

    package init() {}
}
