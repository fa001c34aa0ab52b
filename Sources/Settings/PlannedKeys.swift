/// Keys that the file may have and this release does not act on yet.
///
/// They are read and checked like all others, so that a file need not change when they come into force; a value that is
/// not the default gets a warning, so that nobody relies on it before.
enum PlannedKeys {
    /// What brings each key into force, by the key's pattern.
    static let features: [String: String] = [
        "upstreams.*.private": "the rules for private repositories",
        "admin.address": "the admin API",
        "admin.token": "the admin API",
    ]

    /// The warning for a key, if it is one of them.
    static func warning(for pattern: String) -> String? {
        features[pattern].map { "has no effect in this release; it comes with \($0)" }
    }
}
