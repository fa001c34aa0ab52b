import Foundation
import LMDBIndex
import Logging
import MirrorCore
import OCI

/// An index with so many blobs: a tenth as many images, each of which has ten of them and a base layer that a hundred share.
struct FilledIndex {
    let blobs: Int
    let fillTime: Duration
    private let directory: String
    private let repository: Repository

    private static let layers = 10
    private static let imagesOfBase = 100
    private static let evicted = 1000
    /// As the evictor does.
    private static let page = 200
    private static let lookups = 20_000

    init(blobs: Int, in directory: String) async throws {
        self.blobs = blobs
        self.directory = directory
        repository = Repository(upstream: UpstreamName("docker.io"), name: try RepositoryName("library/bench"))
        let clock = ContinuousClock()
        let start = clock.now
        guard !FileManager.default.fileExists(atPath: "\(directory)/data.mdb") else {
            fillTime = .zero
            return
        }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let index = try Self.open(directory)
        var changes: [IndexChange] = []
        for image in 0..<blobs / Self.layers {
            changes += Self.image(image, of: repository)
            guard changes.count > 5000 || image == blobs / Self.layers - 1 else { continue }
            try await index.commit(changes)
            changes = []
        }
        index.ready()
        index.close()
        fillTime = clock.now - start
    }

    var fileBytes: Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: "\(directory)/data.mdb")
        return (attributes?[.size] as? Int) ?? 0
    }

    private static func open(_ directory: String) throws -> LMDBCacheIndex {
        let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        return try LMDBCacheIndex(directory: directory, options: .init(mapSize: 16 << 30), logger: logger)
    }

    // MARK: - Content

    /// The digest of some number: as random as a hash's.
    private static func digest(_ number: Int, _ kind: ContentKind) -> Digest {
        var state = UInt64(number) &* 2 &+ (kind == .blob ? 0 : 1)
        var bytes: [UInt8] = []
        for _ in 0..<4 {
            // SplitMix64.
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            word ^= word >> 31
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }
        return Digest(algorithm: .sha256, bytes: bytes.span)!
    }

    private static func image(_ number: Int, of repository: Repository) -> [IndexChange] {
        let own = (0..<layers).map { digest(number * layers + $0, .blob) }
        let base = digest(number / imagesOfBase * imagesOfBase * layers, .blob)
        let references = ([base] + own).map { Descriptor(mediaType: nil, digest: $0, size: 4096) }
        let proof = Membership(mediaType: "application/vnd.oci.image.manifest.v1+json", provedAt: .now())
        let manifest = digest(number, .manifest)
        return [
            .manifest(manifest, bytes: [UInt8](repeating: 32, count: 1500), references: references),
            .membership(manifest, .manifest, in: repository, proof),
        ]
            + own.flatMap { [.blob($0, size: 4096), .membership($0, .blob, in: repository, proof)] as [IndexChange] }
    }

    // MARK: - Measuring

    /// One round: opens the index, looks things up, and evicts a thousand blobs, which it then puts back.
    func measure(_ round: Int) async throws -> Sample {
        let clock = ContinuousClock()
        var start = clock.now
        let index = try Self.open(directory)
        index.ready()
        precondition(index.totals().blobs > 0)
        let opening = clock.now - start
        let digests = (0..<Self.lookups).map { _ in Self.digest(.random(in: 0..<blobs), .blob) }
        // A round unmeasured: what is asked for is in memory.
        _ = lookUp(digests, in: index)
        start = clock.now
        let found = lookUp(digests, in: index)
        let lookup = (clock.now - start) / Self.lookups
        precondition(found > Self.lookups * 9 / 10)
        // One image in ten was pulled since.
        for image in stride(from: 0, to: blobs / Self.layers, by: 10).prefix(500) {
            index.touch(Self.digest(image, .manifest), as: .manifest)
        }
        start = clock.now
        let (gone, read) = try await Self.evict(from: index)
        let eviction = clock.now - start
        precondition(gone.count == Self.evicted)
        try await index.commit(gone.map { .blob($0, size: 4096) })
        index.close()
        return Sample(opening: opening, lookup: lookup, eviction: eviction, recordsRead: read)
    }

    /// What a hit looks up: the repository's proof, and the blob.
    private func lookUp(_ digests: [Digest], in index: LMDBCacheIndex) -> Int {
        var found = 0
        for digest in digests
        where index.membership(of: digest, as: .blob, in: repository) != nil && index.blobSize(digest) != nil {
            found += 1
        }
        return found
    }

    private static func evict(from index: LMDBCacheIndex) async throws -> (gone: [Digest], recordsRead: Int) {
        var gone: [Digest] = []
        var read = 0
        var cursor: IndexCursor?
        repeat {
            let page = await index.evictionCandidates(of: .blob, after: cursor, limit: page) { _ in false }
            let batch = page.candidates.prefix(evicted - gone.count).map(\.digest)
            try await index.commit(batch.map { .evicted($0, .blob) })
            gone += batch
            read += page.recordsRead
            cursor = page.next
        } while gone.count < evicted && cursor != nil
        return (gone, read)
    }
}
