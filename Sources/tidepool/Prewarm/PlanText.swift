import MirrorCore
import Ocync
import Prewarm

/// A plan as people read it: each mapping with its tags, why the others are dropped, and what the kept ones cost.
struct PlanText {
    /// How many names stand for many.
    private static let sample = 5

    let plan: PrewarmPlan
    /// Whether nobody was asked what the images are.
    var isOffline = false

    var text: String {
        let mappings = plan.mappings.map(text(of:))
        let end = isOffline ? [] : [PrewarmText.price(of: plan)]
        return (mappings + end).joined(separator: "\n\n")
    }

    private func text(of planned: PlannedMapping) -> String {
        let mapping = planned.mapping
        let upstream = planned.repository?.upstream.text ?? mapping.source?.canonicalHost
        let title = "\(mapping.from) -> \(mapping.to)" + (upstream.map { "  [\($0)]" } ?? "")
        if let failure = planned.failure { return "\(title)\n  failed: \(failure)" }
        return ([title, "  \(counts(planned))"] + kept(planned) + dropped(planned.selection))
            .joined(separator: "\n")
    }

    private func counts(_ planned: PlannedMapping) -> String {
        let kept = planned.selection.kept.count
        guard !planned.selection.isLiteral else { return "\(Amount.count(kept, "tag")) by name, without a tag list" }
        let filter = "\(planned.mapping.tags)"
        let all = planned.tagCount ?? kept + planned.selection.dropped.count
        return "\(kept) of \(Amount.count(all, "tag")) kept" + (filter.isEmpty ? "" : " by \(filter)")
    }

    private func kept(_ planned: PlannedMapping) -> [String] {
        guard !planned.tags.isEmpty else { return planned.selection.kept.map { "    \($0)" } }
        let width = min(40, planned.tags.map(\.tag.count).max() ?? 0)
        return planned.tags.map { tag in
            let padding = String(repeating: " ", count: max(0, width - tag.tag.count))
            return "    \(tag.tag)\(padding)  \(state(of: tag))"
        }
    }

    private func state(of tag: PlannedTag) -> String {
        if let problem = tag.problem { return "failed: \(problem)" }
        if tag.isCached { return "cached" }
        let price = tag.price
        guard price.manifestReads > 0 || price.bytes > 0 else { return "with another tag" }
        let reads = Amount.count(price.manifestReads, "manifest read")
        return "\(price.areReadsEstimated ? "about " : "")\(reads), \(Amount.bytes(price.bytes))"
            + (price.hasMoreBytes ? " or more" : "")
    }

    private func dropped(_ selection: TagSelection) -> [String] {
        var groups: [(rule: DropRule, tags: [String])] = []
        for dropped in selection.dropped {
            if let index = groups.firstIndex(where: { $0.rule == dropped.rule }) {
                groups[index].tags.append(dropped.tag)
            } else {
                groups.append((dropped.rule, [dropped.tag]))
            }
        }
        guard !groups.isEmpty else { return [] }
        var lines = ["  \(selection.dropped.count) dropped"]
        for group in groups {
            let more = group.tags.count > Self.sample ? ", ..." : ""
            let names = group.tags.prefix(Self.sample).joined(separator: ", ") + more
            lines.append("    \(group.tags.count) \(cause(group.rule)): \(names)")
            if case .builtInExclude = group.rule {
                lines.append("      to keep such tags, name them under include, where patterns may be used")
            }
        }
        return lines
    }
    private func cause(_ rule: DropRule) -> String {
        if case .latest = rule { return "\(rule)" }
        return "by \(rule)"
    }
}
