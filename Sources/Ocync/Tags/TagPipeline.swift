extension TagFilter {
    /// Applies the filter to the tags of a repository, in the order in which the registry lists them.
    ///
    /// - Throws: Also when fewer tags are kept than `min_tags` asks for.
    package func apply(to tags: [String]) throws(TagFilterError) -> TagSelection {
        let selection = try select(from: tags)
        if literals == nil, let minTags, selection.kept.count < minTags {
            throw .tooFew(selection.kept.count, minimum: minTags)
        }
        return selection
    }

    /// The same without `min_tags`, for showing what would be kept.
    package func select(from tags: [String]) throws(TagFilterError) -> TagSelection {
        if let literals { return TagSelection(isLiteral: true, kept: literals) }
        return try TagPipeline(self).select(from: tags)
    }

    /// Why every application will fail; `nil` when it depends on the tags.
    package var problem: TagFilterError? {
        do throws(TagFilterError) {
            if literals == nil { _ = try TagPipeline(self) }
            _ = try immutablePattern()
            return nil
        } catch {
            return error
        }
    }

    /// The pattern of tags that need no second look once they are cached.
    package func immutablePattern() throws(TagFilterError) -> Glob? {
        guard let immutableTags else { return nil }
        return try Glob(compiling: immutableTags)
    }

    /// Whether the pattern of immutable tags passes by the versions for which it was surely meant.
    var immutableMissesVersions: Bool {
        guard let pattern = try? immutablePattern(), pattern.tokens.contains(where: \.isWildcard) else { return false }
        return !pattern.matches("1.2.3") && !pattern.matches("v1.2.3") && pattern.matches("v11.2.3")
    }
}

/// A filter with its patterns compiled.
///
/// The order of its steps is ocync's, and part of what a configuration means: names that are always included; then, for
/// the rest, glob, semver, excludes, sort, latest; the included names first in the result.
private struct TagPipeline {
    let filter: TagFilter
    let exclude: PatternList
    let softExclude: PatternList
    /// What of `include` has wildcards: it saves from `glob` and the soft excludes.
    let rescue: PatternList
    /// What of `include` has none; matched as patterns all the same, for their braces.
    let always: PatternList
    let glob: PatternList
    let range: VersionRange?

    init(_ filter: TagFilter) throws(TagFilterError) {
        if filter.latest != nil, filter.sort == nil { throw .latestWithoutSort }
        self.filter = filter
        exclude = try PatternList(filter.exclude)
        softExclude = try PatternList(filter.softExclude)
        rescue = try PatternList(filter.include.filter { !$0.isLiteralPattern })
        always = try PatternList(filter.include.filter(\.isLiteralPattern))
        glob = try PatternList(filter.glob)
        do throws(VersionRangeError) {
            range = try filter.semver.map { text throws(VersionRangeError) in try VersionRange(text) }
        } catch {
            throw .range(filter.semver ?? "", error)
        }
    }

    func select(from tags: [String]) -> TagSelection {
        let included = tags.filter { always.match($0) != nil && exclude.match($0) == nil }
        var rules: [String: DropRule] = [:]
        var passed: [String] = []
        for tag in tags {
            if let rule = rule(against: tag) { rules[tag] = rule } else { passed.append(tag) }
        }
        passed = sorted(passed)
        if let latest = filter.latest {
            for tag in passed.dropFirst(latest) { rules[tag] = .latest(latest) }
            passed = Array(passed.prefix(latest))
        }
        var seen = Set(included)
        let kept = included + passed.filter { seen.insert($0).inserted }
        let dropped = tags.filter { seen.insert($0).inserted }
            .compactMap { tag in rules[tag].map { DroppedTag(tag: tag, rule: $0) } }
        return TagSelection(kept: kept, dropped: dropped)
    }

    /// The first rule that a tag does not pass.
    private func rule(against tag: String) -> DropRule? {
        let isRescued = rescue.match(tag) != nil
        if !glob.patterns.isEmpty, glob.match(tag) == nil, !isRescued { return .glob(filter.glob) }
        if let range, !admits(tag, range) { return .semver(filter.semver ?? "") }
        if let pattern = exclude.match(tag) { return .exclude(pattern) }
        guard !isRescued else { return nil }
        if let pattern = softExclude.match(tag) { return .softExclude(pattern) }
        return builtInExclude(matching: tag).map(DropRule.builtInExclude)
    }

    /// Whether a tag is a version in a range; the fallback tags of referrers never are.
    private func admits(_ tag: String, _ range: VersionRange) -> Bool {
        guard !tag.hasPrefix("sha256-"), !tag.hasPrefix("sha512-") else { return false }
        return TagVersion(tag).map(range.contains) ?? false
    }

    private func builtInExclude(matching tag: String) -> String? {
        let tag = tag.lowercased()
        // Each of them is a text between two stars.
        return TagFilter.builtInExcludes.first { tag.contains($0.dropFirst().dropLast()) }
    }

    /// Sorts downwards; equals stay as they are.
    private func sorted(_ tags: [String]) -> [String] {
        guard let order = filter.sort else { return tags }
        let keys = tags.enumerated()
            .map { offset, tag in
                (tag: tag, version: order == .semver ? TagVersion(tag) : nil, offset: offset)
            }
        let sorted = keys.sorted { left, right in
            switch (left.version, right.version) {
            case (let lhs?, let rhs?):
                if rhs.isLower(than: lhs) { return true }
                return lhs.isLower(than: rhs) ? false : left.offset < right.offset
            case (.some, nil): return true
            case (nil, .some): return false
            case (nil, nil):
                if left.tag == right.tag { return left.offset < right.offset }
                return right.tag.isLowerByBytes(than: left.tag)
            }
        }
        return sorted.map(\.tag)
    }
}

/// Patterns of which one must match.
private struct PatternList {
    var patterns: [(text: String, glob: Glob)] = []

    init(_ texts: [String]) throws(TagFilterError) {
        for text in texts { patterns.append((text, try Glob(compiling: text))) }
    }

    /// The first pattern that matches.
    func match(_ tag: String) -> String? { patterns.first { $0.glob.matches(tag) }?.text }
}

extension Glob {
    fileprivate init(compiling pattern: String) throws(TagFilterError) {
        do throws(GlobError) {
            try self.init(pattern)
        } catch {
            throw .glob(pattern, error)
        }
    }
}

extension Glob.Token {
    fileprivate var isWildcard: Bool {
        if case .literal = self { return false }
        return true
    }
}
