import OCI

/// Finds out what the cache has of one image.
///
/// Content counts as held when a client of the repository would get it without the upstream being asked: it is stored, and
/// the repository was proved to have it (DESIGN rule 15).
struct ImageSurvey {
    /// How deep indexes are followed into indexes.
    private static let deepest = 4

    private let reader: CacheReader
    private let repository: Repository
    private var counted: Set<Digest> = []
    private var platforms: [PlatformHolding] = []
    private var size = 0
    private var missingBytes = 0
    private var lastUse: WallTime?

    init(_ reader: CacheReader, in repository: Repository) {
        self.reader = reader
        self.repository = repository
    }

    /// The image that a name leads to: what would be served for it if the upstream were gone.
    static func holding(of name: ImageName, _ record: TagRecord?, _ reader: CacheReader) async -> ImageHolding {
        let digest: Digest
        var isOlder = false
        switch name.reference {
        case .digest(let named): digest = named
        case .tag:
            guard let record else { return .absent(name) }
            let held = record.held.map(\.digest)
            let isHeld = reader.index.storedObject(record.digest, .manifest) != nil
            isOlder = !isHeld && held.map { reader.index.storedObject($0, .manifest) != nil } ?? false
            digest = isOlder ? held ?? record.digest : record.digest
        }
        var survey = ImageSurvey(reader, in: name.repository)
        var holding = await survey.holding(of: digest, called: name)
        holding.isOlder = isOlder
        holding.isGone = record?.isGone ?? false
        holding.checkedAt = record?.checkedAt
        return holding
    }

    private mutating func holding(of digest: Digest, called name: ImageName) async -> ImageHolding {
        let root = reader.index.storedObject(digest, .manifest)
        await visit(Descriptor(mediaType: nil, digest: digest, size: root?.size ?? 0), depth: 0)
        let isServed = isServed(digest, .manifest)
        return ImageHolding(
            reference: "\(name)",
            digest: "\(digest)",
            survival: survival(isServed: isServed),
            size: size,
            missingBytes: missingBytes,
            platformCount: platforms.count,
            completePlatforms: isServed ? platforms.count { $0.isComplete } : 0,
            isOlder: false,
            isGone: false,
            isPinned: reader.index.isPinned(digest),
            landedAt: root?.landedAt,
            usedAt: lastUse,
            checkedAt: nil,
            platforms: platforms
        )
    }

    private func survival(isServed: Bool) -> Survival {
        guard isServed else { return .absent }
        let held = platforms.filter(\.isHeld)
        guard held.allSatisfy(\.isComplete) else { return .incomplete }
        if held.count == platforms.count { return .whole }
        return held.isEmpty ? .incomplete : .partial
    }

    private mutating func visit(_ descriptor: Descriptor, depth: Int) async {
        guard counted.insert(descriptor.digest).inserted else { return }
        let isServed = isServed(descriptor.digest, .manifest)
        note(descriptor.digest, .manifest)
        guard let manifest = await reader.manifest(descriptor.digest) else {
            if descriptor.platform?.isRunnable ?? true {
                platforms.append(PlatformHolding(of: descriptor, isHeld: false))
            }
            return
        }
        guard manifest.manifests.isEmpty || depth == Self.deepest else {
            for child in manifest.manifests { await visit(child, depth: depth + 1) }
            return
        }
        visitBlobs(of: manifest, descriptor, isHeld: isServed)
    }

    private mutating func visitBlobs(of manifest: Manifest, _ descriptor: Descriptor, isHeld: Bool) {
        var holding = PlatformHolding(of: descriptor, isHeld: isHeld)
        holding.size = reader.index.storedObject(descriptor.digest, .manifest)?.size ?? 0
        var own: Set<Digest> = []
        for blob in manifest.blobs where own.insert(blob.digest).inserted {
            holding.blobs += 1
            let isNew = counted.insert(blob.digest).inserted
            guard let stored = reader.index.blobSize(blob.digest) else {
                holding.missing.append("\(blob.digest)")
                holding.missingBytes += blob.size
                if isNew { missingBytes += blob.size }
                continue
            }
            holding.heldBlobs += 1
            holding.size += stored
            if isNew { note(blob.digest, .blob) }
            if !isServed(blob.digest, .blob) { holding.unproved.append("\(blob.digest)") }
        }
        // What is beside the images takes room, and no pull needs it.
        if descriptor.platform?.isRunnable ?? true { platforms.append(holding) }
    }

    /// Counts an object's bytes and use.
    private mutating func note(_ digest: Digest, _ kind: ContentKind) {
        guard let object = reader.index.storedObject(digest, kind) else { return }
        size += object.size
        if kind == .manifest { lastUse = max(lastUse ?? object.usedAt, object.usedAt) }
    }

    private func isServed(_ digest: Digest, _ kind: ContentKind) -> Bool {
        reader.index.storedObject(digest, kind) != nil
            && reader.index.membership(of: digest, as: kind, in: repository) != nil
    }
}

extension PlatformHolding {
    fileprivate init(of descriptor: Descriptor, isHeld: Bool) {
        self.init(
            platform: descriptor.platform.map { "\($0)" },
            digest: "\(descriptor.digest)",
            isHeld: isHeld,
            blobs: 0,
            heldBlobs: 0,
            size: 0,
            missingBytes: 0,
            missing: [],
            unproved: []
        )
    }
}

extension ImageHolding {
    /// Of what nothing is known.
    static func absent(_ name: ImageName) -> ImageHolding {
        ImageHolding(
            reference: "\(name)",
            digest: "",
            survival: .absent,
            size: 0,
            missingBytes: 0,
            platformCount: 0,
            completePlatforms: 0,
            isOlder: false,
            isGone: false,
            isPinned: false
        )
    }
}
