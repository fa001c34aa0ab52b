/// The account of pull quotas: what the upstreams say is left, and what we spent.
///
/// ``LocalLedger`` implements it for one process. The methods that grant are asynchronous, so that several mirrors can
/// share one account later. Adapters call it for what they send and receive; policy asks it for ``pressure(on:)``.
package protocol QuotaLedger: Sendable {
    /// Asks for leave to read one manifest, and charges it: what was granted is on disk before the request is sent, so
    /// that a crash can only make the account say too much, by what was under way.
    ///
    /// Throws ``UpstreamError/reserved(retryAfter:)`` when background work would touch the reserve; pulls are never refused.
    ///
    /// `reserve` is what background work leaves; `nil` for the upstream's setting.
    func claim(
        for purpose: Purpose,
        on account: QuotaAccount,
        keeping reserve: Int?
    ) async throws(UpstreamError) -> QuotaClaim

    /// Ends a claim: `isSpent` unless the registry has certainly not counted the read.
    func settle(_ claim: QuotaClaim, isSpent: Bool)

    /// A moment in the order of observations; taken when a request is sent.
    func mark() -> QuotaMark

    /// Notes what a registry's answer says, to a request that was sent at `mark`.
    func observe(_ observation: QuotaObservation, on account: QuotaAccount, since mark: QuotaMark)

    /// How scarce an upstream's quota is, for the account that it was last asked with.
    func pressure(on upstream: UpstreamName) -> QuotaPressure

    /// All that is known, upstreams in alphabetical order.
    func status() -> [QuotaStatus]
}

extension QuotaLedger {
    package func claim(for purpose: Purpose, on account: QuotaAccount) async throws(UpstreamError) -> QuotaClaim {
        try await claim(for: purpose, on: account, keeping: nil)
    }
}

/// Whose quota: an upstream counts by account, or by address for the anonymous.
package struct QuotaAccount: Hashable, Sendable {
    package static let anonymous = "anonymous"

    package var upstream: UpstreamName
    /// The user name that our credentials have; never a secret.
    package var account: String

    package init(upstream: UpstreamName, account: String = Self.anonymous) {
        self.upstream = upstream
        self.account = account
    }
}

/// Leave to read one manifest.
package struct QuotaClaim: Hashable, Sendable {
    package let id: UInt64
    package let account: QuotaAccount
    package let purpose: Purpose

    package init(id: UInt64, account: QuotaAccount, purpose: Purpose) {
        self.id = id
        self.account = account
        self.purpose = purpose
    }
}

/// How many observations had been made when a request was sent: answers may overtake each other.
package struct QuotaMark: Hashable, Sendable, Comparable {
    package var count: UInt64

    package init(count: UInt64) {
        self.count = count
    }

    package static func < (left: Self, right: Self) -> Bool { left.count < right.count }
}

/// What an answer's headers say of the quota.
package struct QuotaObservation: Hashable, Sendable {
    /// `100` of `ratelimit-limit: 100;w=3600`; with `window` and `remaining`, `nil` when the answer had no such header.
    package var limit: Int?
    package var window: Duration?
    package var remaining: Int?
    /// How long until quota is back, where the answer itself tells (`Retry-After`, a reset time); no default of ours.
    package var resetsIn: Duration?
    /// `docker-ratelimit-source`: an address or an account, whichever is charged.
    package var source: String?
    /// Whether it answers a manifest's HEAD or GET with success: such an answer without limits means that there are none.
    package var isManifest: Bool
    /// Whether it is a refusal by the pull limit.
    package var isRefusal: Bool

    package init(
        limit: Int? = nil,
        window: Duration? = nil,
        remaining: Int? = nil,
        resetsIn: Duration? = nil,
        source: String? = nil,
        isManifest: Bool = false,
        isRefusal: Bool = false
    ) {
        self.limit = limit
        self.window = window
        self.remaining = remaining
        self.resetsIn = resetsIn
        self.source = source
        self.isManifest = isManifest
        self.isRefusal = isRefusal
    }
}

/// How scarce quota is.
package enum QuotaPressure: Hashable, Sendable {
    /// There is plenty, or nothing is known of a limit.
    case none
    /// It runs out: from just above 0 (begins to be scarce) to 1 (down to the reserve).
    case scarce(Double)
    /// Nothing is left, probably until then.
    case exhausted(until: WallTime)
}

/// What is known of one account.
package struct QuotaStatus: Hashable, Sendable {
    package var account: QuotaAccount
    /// `nil` where no limit is known, or there is none.
    package var limit: Int?
    /// What the upstream last said, without the reads that it had not counted then.
    package var remaining: Int?
    package var window: Duration?
    /// When quota is back, as far as can be told; `nil` when nothing has been spent.
    package var resetsAt: WallTime?
    package var source: String?
    /// What we spent in the present window (without a limit: ever), by purpose.
    package var spent: [Purpose: Int]
    /// What we spent since the first start, by purpose.
    package var spentEver: [Purpose: Int] = [:]
    /// What others spent of the same quota in the present window: other machines, other programs.
    package var spentElsewhere = 0
    /// Whether nothing is left, until ``resetsAt``.
    package var isExhausted = false
    /// Whether `remaining` is what is to be expected after the window's end, and the upstream has not said so yet.
    package var isExpected = false
    /// When the upstream last said so.
    package var observedAt: WallTime?

    package init(account: QuotaAccount, spent: [Purpose: Int] = [:]) {
        self.account = account
        self.spent = spent
    }
}
