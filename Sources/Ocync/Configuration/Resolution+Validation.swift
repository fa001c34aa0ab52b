import YAMLReading

extension Resolution {
    /// Notes all for which ocync refuses a file that it could read.
    func validate() {
        validateGlobal()
        validateDefaults()
        for block in content.mappings {
            findings.mapping = block.from
            validate(block, path: path(of: block))
        }
        findings.mapping = nil
    }

    private func validateGlobal() {
        let global = content.global
        if let transfers = global.maxConcurrentTransfers, transfers.value < 1 {
            findings.note("must be >= 1", line: transfers.line, path: content.path("global.max_concurrent_transfers"))
        }
        if let ttl = global.cacheTTL, !ttl.value.isDuration {
            let message = "'\(ttl.value)' is not a valid duration (e.g. \"12h\", \"30m\", \"0\")"
            findings.note(message, line: ttl.line, path: content.path("global.cache_ttl"))
        }
        if let limit = global.stagingSizeLimit, !limit.value.isSize {
            let message = "'\(limit.value)' is not a valid size (e.g. \"2GB\", \"500MB\", \"0\")"
            findings.note(message, line: limit.line, path: content.path("global.staging_size_limit"))
        }
    }

    private func validateDefaults() {
        let defaults = content.defaults
        validate(defaults, path: content.path("defaults"))
        guard let tags = defaults.tags, let latest = tags.latest, tags.sort == nil else { return }
        let everySorts = content.mappings.allSatisfy { $0.own.tags?.sort != nil } && !content.mappings.isEmpty
        noteLatest(latest, isSorted: everySorts, path: content.path("defaults.tags.latest"))
    }

    private func validate(_ block: MappingBlock, path: String) {
        validate(block.own, path: path)
        if block.own.tags == nil, content.defaults.tags == nil { noteMissingTags(block, path: path) }
        guard let tags = block.own.tags, let latest = tags.latest, tags.sort == nil else { return }
        noteLatest(latest, isSorted: content.defaults.tags?.sort != nil, path: "\(path).tags.latest")
    }

    private func noteMissingTags(_ block: MappingBlock, path: String) {
        guard let tag = leniency.defaultTag else {
            let message = "is missing a tags block (and no defaults.tags is set); add tags: {glob: latest}"
            return findings.note(message, line: block.line, path: path)
        }
        let message = "has no tags, and there is no defaults.tags: taking \(tag) alone; ocync itself refuses this"
        findings.warn(message, line: block.line, path: path)
    }

    private func noteLatest(_ latest: Located<Int>, isSorted: Bool, path: String) {
        guard isSorted, leniency.inheritsSort else {
            return findings.note(
                "tags.latest requires tags.sort to be set; add sort: semver",
                line: latest.line,
                path: path
            )
        }
        let message = "takes its sort from another block; ocync itself refuses this, and wants sort beside latest"
        findings.warn(message, line: latest.line, path: path)
    }

    /// Checks what a mapping and the defaults have in common.
    private func validate(_ block: DefaultsBlock, path: String) {
        if let platforms = block.platforms { validate(platforms, path: "\(path).platforms") }
        if let artifacts = block.artifacts, artifacts.value.isRequired, !artifacts.value.isEnabled {
            let message =
                "require_artifacts is true but artifacts.enabled is false; enable them, or do not require them"
            findings.note(message, line: artifacts.line, path: "\(path).artifacts")
        }
        if let source = block.source, content.registries[source.value] == nil {
            noteUnknown(source.value, "registry", line: source.line, path: "\(path).source")
        }
        validate(block.targets, path: "\(path).targets")
    }

    private func validate(_ platforms: Located<[String]>, path: String) {
        if platforms.value.isEmpty {
            findings.note("platforms list must not be empty; leave it out for all", line: platforms.line, path: path)
        }
        for platform in platforms.value where PlatformFilter(platform) == nil {
            let message = "invalid platform '\(platform)' (expected os/arch or os/arch/variant)"
            findings.note(message, line: platforms.line, path: path)
        }
    }

    private func validate(_ targets: Located<Patterns>?, path: String) {
        if case .one(let name) = targets?.value, content.targetGroups[name] == nil {
            guard content.registries[name] == nil else { return }
            return noteUnknown(name, "target group or registry", line: targets?.line, path: path)
        }
        for alias in aliases(of: targets) where content.registries[alias] == nil {
            noteUnknown(alias, "registry", line: targets?.line, path: path)
        }
    }

    private func noteUnknown(_ name: String, _ kind: String, line: Int?, path: String) {
        let known = content.registries.keys.sorted() + (kind == "registry" ? [] : content.targetGroups.keys.sorted())
        let hint = name.nearest(among: known).map { "; did you mean '\($0)'?" } ?? "; add it under registries"
        findings.note("references unknown \(kind) '\(name)'\(hint)", line: line, path: path)
    }
}

extension String {
    /// Digits, and at the most one of `s`, `m`, `h` and `d`.
    fileprivate var isDuration: Bool {
        let digits = "smhd".contains(last ?? " ") ? dropLast() : self[...]
        return digits.isDigits
    }

    /// `0`, or digits and one of `B`, `KB`, `MB`, `GB` and `TB`.
    fileprivate var isSize: Bool {
        guard let unit = ["TB", "GB", "MB", "KB", "B"].first(where: hasSuffix) else { return self == "0" }
        return dropLast(unit.count).isDigits
    }
}

extension Substring {
    fileprivate var isDigits: Bool { !isEmpty && utf8.allSatisfy(\.isDigit) }
}
