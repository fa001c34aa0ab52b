import MirrorCore
import OCI
import Ocync

extension OcyncMapping {
    /// The registry, once all that can be checked without it is.
    func checkedSource() throws(MappingFailure) -> OcyncRegistry {
        if let problem { throw .mapping(problem) }
        if let problem = tags.problem { throw .filter(problem) }
        guard let source else { throw .mapping(.noSource(from: from)) }
        return source
    }
}

extension PlannedMapping {
    var needsTagList: Bool { failure == nil && mapping.tags.literals == nil }

    /// Chooses tags of the repository's list, where one is needed.
    mutating func select(
        from lists: [Repository: Result<[String], MappingFailure>],
        _ options: PrewarmOptions
    ) {
        guard failure == nil, let repository else { return }
        do throws(MappingFailure) {
            if needsTagList {
                try apply(try lists[repository]?.get() ?? [], options)
            } else {
                try apply([], options)
            }
        } catch {
            failure = error
        }
    }

    mutating func apply(_ list: [String], _ options: PrewarmOptions) throws(MappingFailure) {
        if needsTagList { tagCount = list.count }
        do throws(TagFilterError) {
            selection =
                try options.enforcesMinTags ? mapping.tags.apply(to: list) : mapping.tags.select(from: list)
        } catch {
            throw .filter(error)
        }
    }

    /// What is odd about the selection, but no failure.
    func warnings(_ options: PrewarmOptions) -> [String] {
        guard failure == nil else { return [] }
        var warnings: [String] = []
        if selection.kept.isEmpty {
            let filter = selection.isLiteral ? "no tags" : "filter (\(mapping.tags))"
            let total = tagCount.map { "0 of \($0) tags" } ?? "nothing"
            warnings.append("\(mapping.from): \(total) matched \(filter); skipped")
        }
        if !options.enforcesMinTags, let minimum = mapping.tags.minTags, !selection.isLiteral,
            selection.kept.count < minimum
        {
            warnings.append(
                "\(mapping.from): \(TagFilterError.tooFew(selection.kept.count, minimum: minimum)): a run fails"
            )
        }
        return warnings
    }

    var choice: ContentChoice {
        ContentChoice(platforms: mapping.platforms, hasAttestations: mapping.artifacts.isEnabled)
    }

    func choice(_ options: PrewarmOptions) -> ContentChoice {
        var choice = choice
        if let platforms = options.platforms { choice.platforms = platforms }
        return choice
    }
}

/// One look at a tag, for all mappings that want it.
struct TagQuestion: Hashable, Sendable {
    var repository: Repository
    var tag: OCI.Tag
    /// Whether the mapping says that the tag never moves.
    var isImmutable: Bool

    init?(_ text: String, in planned: PlannedMapping) {
        guard let repository = planned.repository, let tag = try? OCI.Tag(text) else { return nil }
        self.repository = repository
        self.tag = tag
        isImmutable = (try? planned.mapping.tags.immutablePattern())?.matches(text) ?? false
    }

    static func of(_ planned: PlannedMapping) -> [TagQuestion] {
        guard planned.failure == nil else { return [] }
        return planned.selection.kept.compactMap { TagQuestion($0, in: planned) }
    }
}
