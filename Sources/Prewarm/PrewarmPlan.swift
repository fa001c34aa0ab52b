package import MirrorCore
package import OCI
package import Ocync

/// What a configuration comes to: the tags, the images behind them, what of them is missing, and what that costs.
package struct PrewarmPlan: Hashable, Sendable {
    /// In the order of the file.
    package var mappings: [PlannedMapping]
    /// Each image once, whichever mappings and tags lead to it, in the order in which they are fetched; those that are
    /// cached come last.
    package var images: [PlannedImage]
    /// For everything; what several images share is counted once.
    package var price: Price
    /// By upstream, for those that the images come from.
    package var quotas: [UpstreamName: WarmQuota]
    /// What was sent to make the plan.
    package var requests: PlanRequests
    package var warnings: [String]

    package init(
        mappings: [PlannedMapping] = [],
        images: [PlannedImage] = [],
        price: Price = Price(),
        quotas: [UpstreamName: WarmQuota] = [:],
        requests: PlanRequests = PlanRequests(),
        warnings: [String] = []
    ) {
        self.mappings = mappings
        self.images = images
        self.price = price
        self.quotas = quotas
        self.requests = requests
        self.warnings = warnings
    }
}

/// Questions to the mirror that a plan took; one that the mirror can answer itself costs upstream nothing.
package struct PlanRequests: Hashable, Sendable {
    package var tagLists = 0
    /// Looks at tags, each at most one HEAD.
    package var heads = 0

    package init(tagLists: Int = 0, heads: Int = 0) {
        self.tagLists = tagLists
        self.heads = heads
    }
}

/// What is to be fetched.
package struct Price: Hashable, Sendable {
    /// Reads that cost quota.
    package var manifestReads = 0
    /// Of what is known to be missing: the content of manifests that are not here is not.
    package var bytes = 0
    /// Whether there are indexes among the missing, so that the number of reads is a guess.
    package var areReadsEstimated = false
    /// Whether there are manifests among the missing, so that there are more bytes than these.
    package var hasMoreBytes = false

    package init(
        manifestReads: Int = 0,
        bytes: Int = 0,
        areReadsEstimated: Bool = false,
        hasMoreBytes: Bool = false
    ) {
        self.manifestReads = manifestReads
        self.bytes = bytes
        self.areReadsEstimated = areReadsEstimated
        self.hasMoreBytes = hasMoreBytes
    }
}

/// A mapping, and what its filter made of the repository's tags.
package struct PlannedMapping: Hashable, Sendable {
    package var mapping: OcyncMapping
    /// The repository in the mirror; `nil` when none was found, or nobody was asked.
    package var repository: Repository?
    /// How many tags the repository has; `nil` where no list was needed.
    package var tagCount: Int?
    package var selection: TagSelection
    /// One for each tag that is kept, in their order; empty when no mirror was asked.
    package var tags: [PlannedTag]
    /// Why nothing of it is fetched.
    package var failure: MappingFailure?

    package init(_ mapping: OcyncMapping) {
        self.mapping = mapping
        selection = TagSelection()
        tags = []
    }
}

/// A tag that is wanted, and what is behind it.
package struct PlannedTag: Hashable, Sendable {
    package var tag: String
    /// What it names; `nil` when it could not be found out.
    package var digest: Digest?
    /// Which of ``PrewarmPlan/images`` it is.
    package var image: PlannedImage.ID?
    package var isCached = false
    /// What it adds to those before it.
    package var price = Price()
    /// Why it is not fetched.
    package var problem: String?

    package init(tag: String) {
        self.tag = tag
    }
}

/// An image to be fetched, once for all tags and mappings that lead to it.
package struct PlannedImage: Hashable, Sendable, Identifiable {
    package struct ID: Hashable, Sendable {
        package var repository: Repository
        package var digest: Digest
    }

    package var id: ID
    package var mediaType: String
    /// Of its own manifest, in bytes.
    package var size: Int
    /// In the order in which the mappings want them, each once.
    package var tags: [String]
    /// How many mappings and tags lead to it.
    package var demand: Int
    /// The platforms that any of its mappings wants; `nil` for all.
    package var platforms: [PlatformFilter]?
    /// One for each mapping that wants referrers.
    package var artifacts: [ArtifactFilter]
    package var isCached: Bool
    /// For this image alone, whatever it shares with others.
    package var price: Price

    package var repository: Repository { id.repository }
    package var digest: Digest { id.digest }

    /// As people write it: `docker.io/library/nginx:1.27`.
    package var name: String { tags.first.map { "\(repository):\($0)" } ?? "\(repository)@\(digest)" }
}
