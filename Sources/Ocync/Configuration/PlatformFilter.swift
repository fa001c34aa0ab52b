/// A platform of an image that is wanted: `linux/arm64`, `linux/arm/v7`.
package struct PlatformFilter: Hashable, Sendable {
    package var os: String
    package var architecture: String
    /// `nil` for any, and for none.
    package var variant: String?

    /// Reads `os/arch` or `os/arch/variant`; the rest after the second slash is the variant.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count > 1, !parts.contains("") else { return nil }
        os = parts[0]
        architecture = parts[1]
        variant = parts.count > 2 ? parts[2] : nil
    }

    /// Whether an entry of an index with this platform is wanted; case does not matter.
    ///
    /// `linux/arm64/v8` does not match an entry without a variant, `linux/arm64` matches every variant.
    package func matches(os: String, architecture: String, variant: String?) -> Bool {
        guard os.lowercased() == self.os.lowercased() else { return false }
        guard architecture.lowercased() == self.architecture.lowercased() else { return false }
        guard let wanted = self.variant else { return true }
        return variant?.lowercased() == wanted.lowercased()
    }
}

extension PlatformFilter: CustomStringConvertible {
    package var description: String { [os, architecture, variant].compactMap(\.self).joined(separator: "/") }
}

extension [PlatformFilter] {
    /// Whether one of these wants an entry of an index; what is no platform (`unknown/unknown`) is never wanted.
    package func want(os: String, architecture: String, variant: String?) -> Bool {
        if os.lowercased() == "unknown", architecture.lowercased() == "unknown" { return false }
        return contains { $0.matches(os: os, architecture: architecture, variant: variant) }
    }
}
