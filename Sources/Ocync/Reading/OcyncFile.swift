/// What an ocync file says, key for key, before anything is inherited or looked up.
struct OcyncFile {
    /// The key that it stands under: `config` in a Helm values file, else empty.
    var root = ""
    var global = GlobalBlock()
    var registries: [String: OcyncRegistry] = [:]
    var targetGroups: [String: [String]] = [:]
    var defaults = DefaultsBlock()
    var mappings: [MappingBlock] = []

    /// The path of a key, from the top of the file.
    func path(_ key: String) -> String { root.isEmpty ? key : "\(root).\(key)" }
}

/// A value, and the line of its key.
struct Located<Value: Sendable>: Sendable {
    var value: Value
    var line: Int?
}

/// `global`: settings of ocync's engine.
struct GlobalBlock {
    var maxConcurrentTransfers: Located<Int>?
    var cacheTTL: Located<String>?
    var stagingSizeLimit: Located<String>?
}

/// `defaults`, and what a mapping has in common with it.
struct DefaultsBlock {
    var source: Located<String>?
    var targets: Located<Patterns>?
    var tags: TagsBlock?
    var platforms: Located<[String]>?
    var artifacts: Located<ArtifactFilter>?
}

/// An element of `mappings`.
struct MappingBlock {
    /// Its place in the list, from 0.
    var index: Int
    var line: Int?
    var from: String
    var to: String?
    /// What it says itself of what `defaults` may say.
    var own: DefaultsBlock
}

/// A `tags` block; `nil` is a key that is absent or null.
struct TagsBlock: Sendable {
    var line: Int?
    var glob: [String]?
    var semver: String?
    var include: [String]?
    var exclude: [String]?
    var sort: TagOrder?
    var latest: Located<Int>?
    var minTags: Int?
    var immutableTags: String?

    /// The tags of the fast path: only names without wildcards, and nothing else that asks for the tag list.
    var literals: [String]? {
        let needsList =
            semver != nil || include != nil || exclude != nil || sort != nil || latest != nil || minTags != nil
        guard !needsList, let glob, glob.allSatisfy(\.isLiteralPattern) else { return nil }
        return glob
    }
}

extension String {
    /// Whether ocync takes this for a tag's name rather than a pattern; it does not look for braces.
    var isLiteralPattern: Bool { !contains { "*?[".contains($0) } }
}
