import MirrorCore
import OCI

/// Finds out what is missing of an image, from what the mirror holds: no upstream is asked.
struct ImageWalk {
    /// How deep indexes are followed into indexes.
    static let deepest = 4

    private let mirror: any WarmMirror
    private let repository: Repository
    private let choice: ContentChoice
    private var needs = ImageNeeds()
    private var seen: Set<Digest> = []
    private var blobs: [Descriptor] = []

    private init(_ mirror: any WarmMirror, _ repository: Repository, _ choice: ContentChoice) {
        self.mirror = mirror
        self.repository = repository
        self.choice = choice
    }

    static func needs(
        of root: Descriptor,
        in repository: Repository,
        _ choice: ContentChoice,
        _ mirror: any WarmMirror
    ) async throws(MirrorError) -> ImageNeeds {
        var walk = ImageWalk(mirror, repository, choice)
        try await walk.visit(root, depth: 0)
        try await walk.lookAtBlobs()
        return walk.needs
    }

    private mutating func visit(_ descriptor: Descriptor, depth: Int) async throws(MirrorError) {
        guard depth < Self.deepest, seen.insert(descriptor.digest).inserted else { return }
        guard let held = try await mirror.heldManifest(descriptor.digest, in: repository) else {
            if MediaType.isIndex(descriptor.mediaType ?? "") {
                needs.missIndex(descriptor.digest, size: descriptor.size, choice)
            } else {
                needs.manifests[.known(descriptor.digest)] = descriptor.size
            }
            return
        }
        if !held.isProved { needs.unproved += 1 }
        guard let manifest = Manifest(held.bytes) else { return }
        blobs += manifest.blobs.filter { !$0.isForeign && seen.insert($0.digest).inserted }
        let children: [Descriptor]
        do throws(ContentChoice.NothingWanted) {
            children = try choice.children(of: manifest)
        } catch {
            needs.problem = "\(error)"
            return
        }
        for child in children { try await visit(child, depth: depth + 1) }
    }

    private mutating func lookAtBlobs() async throws(MirrorError) {
        let holdings = try await mirror.holdings(of: blobs.map(\.digest), in: repository)
        for (blob, holding) in zip(blobs, holdings) {
            switch holding {
            case .held: break
            case .unproved: needs.unproved += 1
            case .missing(let received): needs.blobs[blob.digest] = max(0, blob.size - received)
            }
        }
    }
}
