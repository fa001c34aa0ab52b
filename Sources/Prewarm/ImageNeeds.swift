import OCI
import Ocync

/// What is missing of an image.
struct ImageNeeds: Hashable, Sendable {
    /// A manifest that is not here.
    enum Missing: Hashable, Sendable {
        case known(Digest)
        /// One of an index that is not here either; by the platform, or a number.
        case guessed(of: Digest, String)
    }

    /// With their sizes; 0 where they are not known.
    var manifests: [Missing: Int] = [:]
    /// With the bytes that are missing of each.
    var blobs: [Digest: Int] = [:]
    /// What is stored, and not proved to be the repository's: a HEAD each.
    var unproved = 0
    /// Why nothing of it can be fetched.
    var problem: String?

    var isEmpty: Bool { manifests.isEmpty && blobs.isEmpty && unproved == 0 && problem == nil }

    mutating func missIndex(_ digest: Digest, size: Int, _ choice: ContentChoice) {
        manifests[.known(digest)] = size
        let names =
            choice.platforms?.map(\.description)
            ?? (0..<choice.likelyChildren(ofIndexWith: size)).map { "\($0)" }
        for name in names { manifests[.guessed(of: digest, name)] = 0 }
    }
}

/// Adds up what several images need, each thing once.
struct PriceCounter {
    private var manifests: Set<ImageNeeds.Missing> = []
    private var blobs: Set<Digest> = []
    private(set) var total = Price()

    /// What an image adds to those before it.
    mutating func add(_ needs: ImageNeeds) -> Price {
        var price = Price()
        for (manifest, size) in needs.manifests where manifests.insert(manifest).inserted {
            price.manifestReads += 1
            price.bytes += size
            price.hasMoreBytes = true
            if case .guessed = manifest { price.areReadsEstimated = true }
        }
        for (digest, bytes) in needs.blobs where blobs.insert(digest).inserted { price.bytes += bytes }
        total.manifestReads += price.manifestReads
        total.bytes += price.bytes
        total.areReadsEstimated = total.areReadsEstimated || price.areReadsEstimated
        total.hasMoreBytes = total.hasMoreBytes || price.hasMoreBytes
        return price
    }

    static func price(of needs: ImageNeeds) -> Price {
        var counter = PriceCounter()
        return counter.add(needs)
    }
}
