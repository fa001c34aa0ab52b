import Locking
package import Logging
import OCI

/// The mirror: answers from the cache, and asks upstream for what is missing, as seldom as can be.
///
/// What it does is in the extensions, by subject: tags, manifests, blobs, lists. It knows nothing of HTTP, files or LMDB.
package final class PullThrough: Sendable {
    let directory: UpstreamDirectory
    let context: FlightContext
    let flights: FlightTable
    let negatives = NegativeCache()
    /// HEADs of tags under way.
    let tagChecks = WorkTable<TagKey, Result<CheckedTag, UpstreamError>>()
    /// Manifest reads under way.
    let manifestFetches = WorkTable<Digest, ManifestFetch>()
    /// HEADs that prove a repository to have some content.
    let proofs = WorkTable<ContentKey, Result<Proof, UpstreamError>>()
    let tagLists = WorkTable<Repository, Result<[String], UpstreamError>>()
    let referrerLists = WorkTable<ContentKey, Result<FoundReferrers, MirrorError>>()
    /// Files that cannot be served as they are, being looked at.
    let examinations = WorkTable<StoredName, Examination>()
    /// What was found bad and has not been seen to come back.
    let damages: DamageList
    /// What looks after the cache in the background, once started.
    let upkeep = Locked<Task<Void, Never>?>(nil)
    /// The walk through what is on the disk, once begun: see ``takeStock()``.
    let stocktaking = Locked<Task<Void, Never>?>(nil)
    /// What manifests name that are only being written down.
    let recentClaims = RecentDigests()
    /// Upstreams that do not answer HEADs of manifests, and those without a referrers API.
    let habits = Locked(UpstreamHabits())

    /// Takes the adapters.
    ///
    /// `upstreams` and `policies` have the same keys as the directory knows names; `contentSources` has those that the
    /// policies name.
    package init(
        directory: UpstreamDirectory,
        upstreams: [UpstreamName: any Upstream],
        policies: [UpstreamName: UpstreamPolicy],
        contentSources: [UpstreamName: any Upstream] = [:],
        store: any BlobStore,
        index: any CacheInventory,
        space: SpaceLimits = SpaceLimits(),
        ledger: any QuotaLedger,
        time: Timekeeper = .system(),
        metrics: Metrics,
        logger: Logger
    ) {
        self.directory = directory
        damages = DamageList(in: index)
        context = FlightContext(
            upstreams: upstreams,
            contentSources: ContentSources(contentSources, policies: policies, time: time),
            standings: UpstreamStandings(time: time, metrics: metrics, logger: logger),
            policies: policies,
            store: store,
            index: index,
            keeper: SpaceKeeper(space, store: store, index: index, time: time, metrics: metrics, logger: logger),
            ledger: ledger,
            time: time,
            metrics: metrics,
            logger: logger
        )
        flights = FlightTable(context)
        context.publishTotals()
    }

    /// Ends what is under way, and returns when it has ended.
    ///
    /// Followers of flights are cut and waiters get ``MirrorError/shuttingDown``; what is verified is stored and recorded.
    package func shutDown() async {
        await endUpkeep()
        await referrerLists.cancelAll()
        await tagLists.cancelAll()
        await tagChecks.cancelAll()
        await manifestFetches.cancelAll()
        await proofs.cancelAll()
        await examinations.cancelAll()
        await flights.cancelAll()
        await context.passages.cancelAll()
        await context.keeper.settled()
    }

    /// Whether nothing is being asked, fetched or written down.
    var isIdle: Bool {
        tagChecks.isIdle && manifestFetches.isIdle && proofs.isIdle && tagLists.isIdle && referrerLists.isIdle
            && examinations.isIdle && flights.isIdle && context.passages.isIdle
    }

    // MARK: - What the parts share

    var index: any CacheInventory { context.index }
    var time: Timekeeper { context.time }

    func policy(of repository: Repository) -> UpstreamPolicy {
        context.policies[repository.upstream] ?? UpstreamPolicy()
    }

    /// Begins to answer a caller, after access has been decided.
    func inquire(of repository: Repository, for caller: Caller) throws(MirrorError) -> Inquiry {
        guard let upstream = context.upstreams[repository.upstream] else {
            throw .upstreamUnknown(repository.upstream.text)
        }
        let policy = policy(of: repository)
        guard policy.permits(repository, for: caller) else { throw .forbidden }
        return Inquiry(
            caller: caller,
            repository: repository,
            upstream: upstream,
            policy: policy,
            deadline: time.deadline(in: policy.answerWithin)
        )
    }

    func permits(_ repository: Repository, _ caller: Caller) -> Bool {
        context.upstreams[repository.upstream] != nil && policy(of: repository).permits(repository, for: caller)
    }

    /// The answer that something is not there, or not for us, while it is remembered.
    func recalled(_ subject: NegativeCache.Subject, in repository: Repository) -> MirrorError? {
        negatives.error(for: NegativeCache.Key(repository: repository, subject: subject), at: time.monotonic())
    }

    func recall(_ subject: NegativeCache.Subject, in repository: Repository) throws(MirrorError) {
        if let error = recalled(subject, in: repository) { throw error }
    }

    /// Remembers for a few seconds that something is not there, or not for us.
    func remember(_ error: MirrorError, of subject: NegativeCache.Subject, in repository: Repository) {
        let now = time.monotonic()
        let key = NegativeCache.Key(repository: repository, subject: subject)
        negatives.insert(error, for: key, until: now + policy(of: repository).negativeTTL, at: now)
    }

    /// Records changes durably; a failure costs a repeated request later, and nothing now.
    func record(_ changes: [IndexChange]) async {
        do {
            try await index.commit(changes)
        } catch {
            context.logger.error("the index could not be written", metadata: ["error": "\(error)"])
            if error == .full { context.keeper.makeRoomInIndex() }
        }
        context.publishTotals()
        context.keeper.tidyIfDue()
        context.keeper.tidyIfDue()
    }
}

/// What has been learned of upstreams since the start.
///
/// It lapses: registries are mended, and gain what they lacked.
struct UpstreamHabits: Sendable {
    static let probeInterval = Duration.seconds(3600)
    static let capacity = 10_000

    /// Since when an upstream is known not to answer HEADs of manifests.
    var refusesHeads: [UpstreamName: Duration] = [:]
    /// Since when a repository is known to be without a referrers API.
    var hasNoReferrers: [Repository: Duration] = [:]
}

struct TagKey: Hashable, Sendable {
    var repository: Repository
    var tag: Tag
}

struct ContentKey: Hashable, Sendable {
    var repository: Repository
    var digest: Digest
    var kind: ContentKind
}

extension PullThrough: Registry {
    package func resolve(path: String, prefix: String?, namespace: String?) throws(MirrorError) -> Repository {
        try directory.resolve(path: path, prefix: prefix, namespace: namespace)
    }
}
