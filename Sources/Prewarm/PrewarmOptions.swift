package import Ocync

/// How a run is made, beyond what the configuration says.
package struct PrewarmOptions: Hashable, Sendable {
    /// What of indexes is fetched, whatever the mappings say; `nil` leaves it to them.
    package var platforms: [PlatformFilter]?
    /// How many manifests may be read upstream in this run; `nil` for as many as the quota allows.
    package var budget: Int?
    /// How many reads are left to people who pull; `nil` for the upstream's own setting.
    package var reserve: Int?
    /// Whether to sleep until quota is back, rather than to stop.
    package var waits = false
    /// Whether a mapping that keeps fewer tags than its `min_tags` fails, as ocync has it for runs but not for dry ones.
    package var enforcesMinTags = true
    /// Registries of the configuration that cannot be asked from here, by alias, and why.
    package var refusedRegistries: [String: String] = [:]
    /// Blobs that are fetched at one time, from each upstream.
    package var concurrentBlobs = 6

    package init() {}
}
