/// The media types that a mirror must know; every other passes through as it is.
package enum MediaType {
    package static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    package static let dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
    package static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
    package static let ociIndex = "application/vnd.oci.image.index.v1+json"
    package static let ociArtifact = "application/vnd.oci.artifact.manifest.v1+json"
    package static let json = "application/json"
    package static let octetStream = "application/octet-stream"

    /// What upstream is always asked for, whatever the client accepts.
    ///
    /// Registries convert or refuse by `Accept` (quay.io even to schema 1, with another digest), so the list is
    /// complete, in one order, and without q-values (gcr.io does not match those).
    package static let acceptedManifests = [
        dockerManifest, dockerManifestList, ociManifest, ociIndex, ociArtifact, "*/*",
    ]
    .joined(separator: ", ")

    /// Whether a document of this type lists other manifests.
    package static func isIndex(_ mediaType: String) -> Bool {
        mediaType == ociIndex || mediaType == dockerManifestList
    }
}
