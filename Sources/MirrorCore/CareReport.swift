/// One thing that came of a ``CareTask``; in JSON an object with one key, its case.
package enum CareReport: Hashable, Sendable {
    /// An image of a list, without its platforms.
    case image(ImageHolding)
    /// The end of a list.
    case total(ListTotal)
    /// The image that was to be shown.
    case held(ImageHolding)
    case stats(CacheStats)
    case progress(CareProgress)
    case damage(DamagedObject)
    case orphan(OrphanFile)
    /// The end of a verification.
    case verified(VerifyTotal)
    /// The end of a removal.
    case removed(RemovedTotal)
    /// A reference was pinned or unpinned.
    case pin(PinState)
}

/// What the cache has of an image.
package struct ImageHolding: Codable, Hashable, Sendable {
    /// `docker.io/library/nginx:1.27`, or with `@` and a digest where no tag has led to it.
    package var reference: String
    /// What would be served.
    package var digest: String
    package var survival: Survival
    /// The bytes that are held of it, each content counted once.
    package var size: Int
    /// The bytes that a pull of what is held of it would lack, as far as the manifests tell.
    package var missingBytes: Int
    /// How many platforms its index lists, those that nothing runs on left out; 1 for a plain image.
    package var platformCount: Int
    /// For how many of these a pull would succeed without the upstream.
    package var completePlatforms: Int
    /// What is held is not what the tag was when it was last checked, but what it was before.
    package var isOlder: Bool
    /// Upstream has said that the tag is no more.
    package var isGone: Bool
    package var isPinned: Bool
    /// When its manifest was stored.
    package var landedAt: WallTime?
    /// About when it was last pulled.
    package var usedAt: WallTime?
    /// When upstream last said what the tag is.
    package var checkedAt: WallTime?
    /// `nil` in a list.
    package var platforms: [PlatformHolding]?
}

/// Whether an image can be pulled if its upstream dies now.
package enum Survival: String, Codable, Sendable {
    /// All of it.
    case whole
    /// For some of its platforms, and nothing of the others was ever pulled.
    case partial
    /// Not even for those that were pulled.
    case incomplete
    /// Enough is held, and the tag would not be served: it is gone, was checked too long ago, or its upstream is not configured
    /// any more.
    case unserved
    /// The manifest itself is not held.
    case absent

    /// Whether whoever pulled it before can pull it again.
    package var isPullable: Bool { self == .whole || self == .partial }
}

/// What the cache has of an image for one platform.
package struct PlatformHolding: Codable, Hashable, Sendable {
    /// `linux/amd64`; `nil` where the image is for one only, or does not say.
    package var platform: String?
    package var digest: String
    /// Whether its manifest is held, and may be served for the repository.
    package var isHeld: Bool
    /// Layers and configuration.
    package var blobs: Int
    package var heldBlobs: Int
    package var size: Int
    package var missingBytes: Int
    /// What is not held.
    package var missing: [String]
    /// What is held, but was never proved to be this repository's: the upstream would have to be asked.
    package var unproved: [String]

    package var isComplete: Bool { isHeld && missing.isEmpty && unproved.isEmpty }
}

package struct ListTotal: Codable, Hashable, Sendable {
    package var images = 0
    /// Those that could not be pulled without their upstreams.
    package var incomplete = 0
    /// The bytes of all that is stored: content that many images share is in it once.
    package var size = 0
}

package struct CacheStats: Codable, Hashable, Sendable {
    package var manifests = 0
    package var manifestBytes = 0
    package var blobs = 0
    package var blobBytes = 0
    /// Blobs that no stored manifest names.
    package var unreferencedBlobs = 0
    package var unreferencedBytes = 0
    package var pins = 0
    package var pinnedObjects = 0
    package var pinnedBytes = 0
    /// Transfers that were begun and wait for their next asker.
    package var unfinished = 0
    package var unfinishedBytes = 0
    /// All that is in the spool: what waits, and what is being written now.
    package var spoolBytes = 0
    /// The bound on blobs and spool together; absent where there is none.
    package var maxSize: Int?
    /// The bound on manifests.
    package var maxManifestsSize: Int?
    /// What is to stay free on the device.
    package var minFree = 0
    package var repositories = 0
    package var tags = 0
    /// The use that is longest ago.
    package var oldestUse: WallTime?
    package var indexBytes = 0
    /// The room on the device.
    package var freeBytes = 0
    package var deviceBytes = 0
}

package struct CareProgress: Codable, Hashable, Sendable {
    package var objects: Int
    package var bytes: Int
    /// The bytes there were when it began.
    package var totalBytes: Int
}

/// A stored object that is not what it should be.
package struct DamagedObject: Codable, Hashable, Sendable {
    package var digest: String
    /// `manifest` or `blob`.
    package var kind: String
    package var problem: Problem
    package var remedy: Remedy

    package enum Problem: String, Codable, Sendable {
        case missing
        case short
        /// Its content has another digest.
        case damaged
        case unreadable
    }

    package enum Remedy: String, Codable, Sendable {
        /// It is fetched when it is next asked for.
        case onDemand = "on_demand"
        case fetched
        /// The index has a copy, which was written to the disk: no upstream was asked.
        case restored
        /// No repository that is known to have it gave it.
        case unavailable

        /// Whether the object is whole again.
        package var isDone: Bool { self == .fetched || self == .restored }
    }
}

/// A file that the index does not know.
package struct OrphanFile: Codable, Hashable, Sendable {
    /// A digest, or a path in the data directory for what is no content.
    package var name: String
    package var kind: String
    package var size: Int
}

package struct VerifyTotal: Codable, Hashable, Sendable {
    package var objects = 0
    package var bytes = 0
    package var damaged = 0
    /// How many of these are whole again.
    package var mended = 0
    package var orphans = 0
    /// Looked at, and the device or its limits did not let them be read this time.
    package var unread = 0
}

package struct RemovedTotal: Codable, Hashable, Sendable {
    package var manifests = 0
    package var blobs = 0
    package var bytes = 0
    /// Files that the index did not know, and that are gone.
    package var orphans = 0
    /// Files that it did not know, and does now.
    package var adopted = 0
    /// Records about content that is no longer here.
    package var records = 0
}

package struct PinState: Codable, Hashable, Sendable {
    package var reference: String
    package var isPinned: Bool
    /// Whether a pull without the upstream would succeed.
    package var survival: Survival
}

// MARK: - JSON

extension CareReport: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case image, total, held, stats, progress, damage, orphan, verified, removed, pin
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard let key = CodingKeys.allCases.first(where: container.contains) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "a report of another version")
            )
        }
        self =
            switch key {
            case .image: .image(try container.decode(ImageHolding.self, forKey: key))
            case .total: .total(try container.decode(ListTotal.self, forKey: key))
            case .held: .held(try container.decode(ImageHolding.self, forKey: key))
            case .stats: .stats(try container.decode(CacheStats.self, forKey: key))
            case .progress: .progress(try container.decode(CareProgress.self, forKey: key))
            case .damage: .damage(try container.decode(DamagedObject.self, forKey: key))
            case .orphan: .orphan(try container.decode(OrphanFile.self, forKey: key))
            case .verified: .verified(try container.decode(VerifyTotal.self, forKey: key))
            case .removed: .removed(try container.decode(RemovedTotal.self, forKey: key))
            case .pin: .pin(try container.decode(PinState.self, forKey: key))
            }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .image(let value): try container.encode(value, forKey: .image)
        case .total(let value): try container.encode(value, forKey: .total)
        case .held(let value): try container.encode(value, forKey: .held)
        case .stats(let value): try container.encode(value, forKey: .stats)
        case .progress(let value): try container.encode(value, forKey: .progress)
        case .damage(let value): try container.encode(value, forKey: .damage)
        case .orphan(let value): try container.encode(value, forKey: .orphan)
        case .verified(let value): try container.encode(value, forKey: .verified)
        case .removed(let value): try container.encode(value, forKey: .removed)
        case .pin(let value): try container.encode(value, forKey: .pin)
        }
    }
}

extension ContentKind {
    /// As it stands in labels and reports.
    package var label: String {
        switch self {
        case .manifest: "manifest"
        case .blob: "blob"
        }
    }
}
