/// What a manifest of an index is for: `linux/arm64/v8`.
///
/// The OCI image index specification's `platform`, in the form that people write.
package struct Platform: Hashable, Sendable {
    package var os: String
    package var architecture: String
    package var variant: String?

    package init(os: String, architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// Whether anything runs on it.
    ///
    /// BuildKit gives `unknown/unknown` to what it puts beside the images: attestations.
    package var isRunnable: Bool { os != "unknown" }
}

extension Platform: CustomStringConvertible {
    package var description: String {
        ([os, architecture] + (variant.map { [$0] } ?? [])).joined(separator: "/")
    }
}
