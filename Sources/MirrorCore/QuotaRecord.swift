/// One account of the ledger as it is kept in the index.
package struct QuotaRecord: Hashable, Sendable {
    package var limit: Int?
    package var window: Duration?
    package var remaining: Int?
    package var source: String?
    package var observedAt: WallTime?
    /// When the present window began, as far as is known.
    package var windowBeganAt: WallTime?
    /// Until when the upstream has refused reads.
    package var exhaustedUntil: WallTime?
    /// What we spent since the window began, by purpose.
    package var spentInWindow: [Purpose: Int] = [:]
    /// What we spent since the first start, by purpose.
    package var spentEver: [Purpose: Int] = [:]

    package init() {}
}
