/// Makes a configuration of what a file says: checks names and values, and hands down defaults.
struct Resolution {
    let content: OcyncFile
    let leniency: Leniency
    let findings: Findings

    /// The mappings with everything handed down, in the order of the file.
    func configuration() -> OcyncConfiguration {
        var configuration = OcyncConfiguration()
        if let transfers = content.global.maxConcurrentTransfers?.value {
            configuration.maxConcurrentTransfers = transfers
        }
        configuration.registries = content.registries.values.sorted { $0.alias < $1.alias }
        for block in content.mappings {
            findings.mapping = block.from
            let mapping = resolved(block)
            warnAbout(mapping, block)
            configuration.mappings.append(mapping)
        }
        findings.mapping = nil
        return configuration
    }

    private func resolved(_ block: MappingBlock) -> OcyncMapping {
        let own = block.own
        let defaults = content.defaults
        let platforms = own.platforms ?? defaults.platforms
        return OcyncMapping(
            index: block.index,
            line: findings.sourceLine(of: block.line),
            from: block.from,
            to: block.to ?? block.from,
            source: (own.source ?? defaults.source).flatMap { content.registries[$0.value] },
            targets: aliases(of: own.targets ?? defaults.targets).compactMap { content.registries[$0] },
            tags: tags(of: block),
            platforms: platforms?.value.compactMap(PlatformFilter.init),
            artifacts: (own.artifacts ?? defaults.artifacts)?.value ?? ArtifactFilter()
        )
    }

    /// The filter of a mapping: its own block over the default one, field by field.
    private func tags(of block: MappingBlock) -> TagFilter {
        if block.own.tags == nil, content.defaults.tags == nil {
            return TagFilter(literals: leniency.defaultTag.map { [$0] } ?? [])
        }
        return TagFilter(own: block.own.tags, defaults: content.defaults.tags)
    }

    /// The aliases of a `targets` value: a text is a group first, then a registry.
    func aliases(of targets: Located<Patterns>?) -> [String] {
        switch targets?.value {
        case nil: []
        case .one(let name): content.targetGroups[name] ?? [name]
        case .list(let aliases): aliases
        }
    }

    func path(of block: MappingBlock) -> String { content.path("mappings[\(block.index)]") }

    // MARK: Warnings

    /// Warns about what ocync refuses when it runs, and about what does not mean what it seems to.
    private func warnAbout(_ mapping: OcyncMapping, _ block: MappingBlock) {
        let warn = { (message: String) in findings.warn(message, line: block.line, path: path(of: block)) }
        if let problem = mapping.problem { warn("ocync refuses this when it runs: \(problem)") }
        if let problem = mapping.tags.problem {
            let hint = problem.hint.map { "; \($0)" } ?? ""
            warn("ocync refuses this when it runs: \(problem)\(hint)")
        }
        if mapping.source?.isDockerHub == true, !mapping.from.contains("/") {
            warn("on Docker Hub official images are library/\(mapping.from); ocync does not add library/")
        }
        for tag in mapping.tags.literals ?? [] where tag.contains("{") {
            warn("\"\(tag)\" is taken for the name of a tag; braces are a pattern only beside *, ? or [")
        }
        if mapping.tags.immutableMissesVersions {
            warn(
                "immutable_tags matches neither 1.2.3 nor v1.2.3, as ? is exactly one character; "
                    + "{[0-9]*,v[0-9]*}.[0-9]*.[0-9]* matches both"
            )
        }
    }
}
