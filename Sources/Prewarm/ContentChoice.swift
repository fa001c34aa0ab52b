import OCI
package import Ocync

/// What of an image is fetched; the index itself always comes as it is.
package struct ContentChoice: Hashable, Sendable {
    /// `nil` for all.
    package var platforms: [PlatformFilter]?
    /// Whether what BuildKit puts beside the images comes too, where all platforms do.
    package var hasAttestations: Bool

    package init(platforms: [PlatformFilter]?, hasAttestations: Bool) {
        self.platforms = platforms
        self.hasAttestations = hasAttestations
    }

    /// Whether an entry of an index is wanted.
    ///
    /// As ocync has it: with platforms, what has none is not; without, everything is.
    func wants(_ child: Descriptor) -> Bool {
        guard let platform = child.platform else { return platforms == nil }
        guard platform.isRunnable else { return platforms == nil && hasAttestations }
        return platforms?
            .want(os: platform.os, architecture: platform.architecture, variant: platform.variant) ?? true
    }

    /// The wanted entries of an index; throws when there are none but others.
    func children(of index: Manifest) throws(NothingWanted) -> [Descriptor] {
        let wanted = index.manifests.filter(wants)
        guard wanted.isEmpty, !index.manifests.isEmpty, let platforms else { return wanted }
        throw NothingWanted(platforms: platforms, offered: index.manifests.compactMap(\.platform))
    }

    /// An index that has none of the platforms that are wanted.
    struct NothingWanted: Error, CustomStringConvertible {
        var platforms: [PlatformFilter]
        var offered: [Platform]

        /// ocync's sentence.
        var description: String {
            let wanted = platforms.map(\.description).joined(separator: ", ")
            let offered = offered.map(\.description).joined(separator: ", ")
            return "platform filter [\(wanted)] matched no manifests in index (source has: [\(offered)])"
        }
    }

    /// How many manifests an index has for this choice, judged by its size alone.
    ///
    /// One for each platform that is asked for. For all of them: entries with their annotations have some 400 bytes, and
    /// an index is there for two at least.
    func likelyChildren(ofIndexWith size: Int) -> Int { platforms?.count ?? max(2, size / 400) }
}

extension Descriptor {
    /// Whether registries leave this layer to others to give out: Docker's foreign layers.
    var isForeign: Bool {
        mediaType.map { $0.contains(".foreign.") || $0.contains(".nondistributable.") } ?? false
    }
}
