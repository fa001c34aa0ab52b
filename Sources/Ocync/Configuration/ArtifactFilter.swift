/// Which referrers of an image (signatures, bills of materials) come with it.
package struct ArtifactFilter: Hashable, Sendable {
    package var isEnabled = true
    /// Artifact types; empty for all.
    package var include: [String] = []
    /// Artifact types that do not come even if `include` has them.
    package var exclude: [String] = []
    /// Whether an image without a wanted referrer is a failure.
    package var isRequired = false

    package init() {}

    /// Whether a referrer comes along: by its artifact type, or its media type when it has none.
    package func wants(artifactType: String?, mediaType: String) -> Bool {
        let type = artifactType ?? mediaType
        return isEnabled && (include.isEmpty || include.contains(type)) && !exclude.contains(type)
    }
}
