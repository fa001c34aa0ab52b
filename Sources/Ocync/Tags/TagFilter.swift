/// Which tags of a repository are wanted, and in which order.
package struct TagFilter: Hashable, Sendable {
    /// Names to be taken as they are, without a tag list and without a look at anything below; `nil` for a filter.
    package var literals: [String]?
    /// Patterns of which one must match; empty for all tags.
    package var glob: [String] = []
    /// A range of versions; ``VersionRange``.
    package var semver: String?
    /// Names that are always taken, and patterns that save from `glob` and from the soft excludes.
    package var include: [String] = []
    /// Patterns of the mapping's own, from which nothing saves.
    package var exclude: [String] = []
    /// Patterns of the defaults, from which `include` saves.
    package var softExclude: [String] = []
    package var sort: TagOrder?
    /// How many are taken, of the sorted tags.
    package var latest: Int?
    /// How many there must be.
    package var minTags: Int?
    /// A pattern of tags that never move.
    package var immutableTags: String?

    /// Marks of prereleases that are excluded always, whatever their case; `include` saves from them.
    package static let builtInExcludes = ["*-rc*", "*-alpha*", "*-beta*", "*-pre*", "*-snapshot*", "*-nightly*"]

    package init() {}

    /// Takes names as they are.
    package init(literals: [String]) {
        self.literals = literals
    }

    /// A mapping's block over the default one, field by field; with default tags there is no fast path.
    init(own: TagsBlock?, defaults: TagsBlock?) {
        glob = own?.glob ?? defaults?.glob ?? []
        semver = own?.semver ?? defaults?.semver
        include = own?.include ?? defaults?.include ?? []
        exclude = own?.exclude ?? []
        softExclude = defaults?.exclude ?? []
        sort = own?.sort ?? defaults?.sort
        latest = (own?.latest ?? defaults?.latest)?.value
        minTags = own?.minTags ?? defaults?.minTags
        immutableTags = own?.immutableTags ?? defaults?.immutableTags
        if defaults == nil { literals = own?.literals }
    }
}

/// How tags are sorted: always downwards.
package enum TagOrder: String, CaseIterable, Hashable, Sendable {
    /// By version; what is none comes last.
    case semver
    /// By bytes.
    case alpha
}

extension TagFilter: CustomStringConvertible {
    /// What is set, on one line, as ocync words it: `glob v1.*, semver >=1.2, sort semver, latest=5`.
    package var description: String {
        var parts: [String] = []
        if !glob.isEmpty { parts.append("glob \(glob.joined(separator: ","))") }
        if let semver { parts.append("semver \(semver)") }
        let excludes = softExclude + exclude
        if !excludes.isEmpty { parts.append("exclude \(excludes.joined(separator: ","))") }
        if !include.isEmpty { parts.append("include \(include.joined(separator: ","))") }
        if let sort { parts.append("sort \(sort.rawValue)") }
        if let latest { parts.append("latest=\(latest)") }
        if let minTags { parts.append("min_tags=\(minTags)") }
        return parts.joined(separator: ", ")
    }
}

/// Why a filter cannot be applied, or keeps too little; ocync ends with exit code 3.
package enum TagFilterError: Error, Hashable, Sendable {
    case latestWithoutSort
    case glob(String, GlobError)
    case range(String, VersionRangeError)
    case tooFew(Int, minimum: Int)
}

extension TagFilterError: CustomStringConvertible {
    /// The sentence that ocync prints.
    package var description: String {
        switch self {
        case .latestWithoutSort: "`latest` requires `sort` to be set"
        case .glob(let pattern, let error):
            "invalid glob pattern '\(pattern)': error parsing glob '\(pattern)': \(error)"
        case .range(let range, let error): "invalid version range '\(range)': \(error)"
        case .tooFew(let count, let minimum): "only \(count) tag(s) matched, minimum required is \(minimum)"
        }
    }

    /// What to write instead.
    package var hint: String? {
        switch self {
        case .latestWithoutSort: "add sort: semver"
        case .range(_, .unsupported): "for ^1.2 write >=1.2, <2; for ~1.2 or 1.2.x write >=1.2, <1.3"
        case .range(_, .malformed): "write bounds such as >=1.2, <2, with a comma between them"
        case .glob, .range, .tooFew: nil
        }
    }
}
