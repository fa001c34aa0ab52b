/// What a filter makes of the tags of a repository.
package struct TagSelection: Hashable, Sendable {
    /// Whether the tags are names that were taken as they are.
    package var isLiteral = false
    /// In the order in which they are wanted.
    package var kept: [String] = []
    /// In the order of the tag list.
    package var dropped: [DroppedTag] = []

    package init(isLiteral: Bool = false, kept: [String] = [], dropped: [DroppedTag] = []) {
        self.isLiteral = isLiteral
        self.kept = kept
        self.dropped = dropped
    }
}

/// A tag that is not wanted, and why.
package struct DroppedTag: Hashable, Sendable {
    package var tag: String
    package var rule: DropRule
}

/// The first rule that a tag met and did not pass.
package enum DropRule: Hashable, Sendable {
    /// None of the patterns matches.
    case glob([String])
    /// It is no version, or not in the range.
    case semver(String)
    case exclude(String)
    case softExclude(String)
    case builtInExclude(String)
    /// So many came before it.
    case latest(Int)
}

extension DropRule: CustomStringConvertible {
    package var description: String {
        switch self {
        case .glob(let patterns): "glob \(patterns.map { "\"\($0)\"" }.joined(separator: ", "))"
        case .semver(let range): "semver \"\(range)\""
        case .exclude(let pattern): "exclude (mapping) \"\(pattern)\""
        case .softExclude(let pattern): "exclude (defaults) \"\(pattern)\""
        case .builtInExclude(let pattern): "exclude (built-in) \"\(pattern)\""
        case .latest(let count): "over latest=\(count) limit"
        }
    }
}
