import OCI
import YAMLReading

extension OcyncFile {
    /// Reads the root of a configuration, noting problems.
    init(_ root: Fields) {
        self.root = root.path
        if let fields = root.fields("global") { global = GlobalBlock(fields) }
        for (alias, entry, isLast) in root.names("registries") {
            let path = "\(root.child("registries")).\(alias)"
            if let fields = Fields(entry.value, path: path, line: entry.line, findings: root.findings) {
                registries[alias] = OcyncRegistry(alias: alias, fields, counts: isLast)
            }
        }
        for (name, entry, _) in root.names("target_groups") {
            targetGroups[name] = root.texts(entry, "target_groups.\(name)")
        }
        if let fields = root.fields("defaults") {
            defaults = DefaultsBlock(fields)
            fields.finish()
        }
        for (index, node) in root.elements("mappings").enumerated() {
            let path = "\(root.child("mappings"))[\(index)]"
            guard let fields = Fields(node, path: path, line: node.line, findings: root.findings) else { continue }
            if let mapping = MappingBlock(index: index, fields) { mappings.append(mapping) }
        }
        root.finish()
    }
}

extension GlobalBlock {
    fileprivate init(_ fields: Fields) {
        let transfers = fields.count("max_concurrent_transfers", isOptional: false)
        maxConcurrentTransfers = transfers.map { Located(value: $0, line: fields.line(of: "max_concurrent_transfers")) }
        cacheTTL = fields.located("cache_ttl")
        stagingSizeLimit = fields.located("staging_size_limit")
        _ = fields.text("cache_dir")
        fields.finish()
    }
}

extension OcyncRegistry {
    /// Reads a registry; one that does not count, as another has its alias, need not make sense.
    fileprivate init?(alias: String, _ fields: Fields, counts: Bool) {
        let url = fields.requiredText("url")
        self.init(alias: alias, url: url ?? "")
        authType = fields.choice("auth_type", also: ["token": .staticToken])
        maxConcurrent = fields.count("max_concurrent")
        token = fields.text("token").map { Secret($0) }
        headFirst = fields.flag("head_first", default: false)
        awsProfile = fields.text("aws_profile")
        if let pair = fields.fields("credentials") {
            let username = pair.requiredText("username")
            let password = pair.requiredText("password")
            pair.finish()
            if let username, let password {
                credentials = BasicCredentials(username: username, password: Secret(password))
            }
        }
        fields.finish()
        if counts {
            warnAboutUnused(fields)
            check(fields)
        } else {
            fields.findings.warn("is given again, and that counts", line: fields.line, path: fields.path)
        }
        if url == nil { return nil }
    }

    private func warnAboutUnused(_ fields: Fields) {
        if fields.has("credentials"), authType != .basic {
            fields.warn("credentials", "are not used without auth_type: basic")
        }
        if fields.has("token"), authType != .staticToken {
            fields.warn("token", "is not used without auth_type: static_token")
        }
        if hasPath { fields.warn("url", "has a path, which ocync does not use; write the host alone") }
    }

    /// Notes what does not go together.
    private func check(_ fields: Fields) {
        if maxConcurrent == 0 { fields.note("max_concurrent", "must be >= 1") }
        switch authType {
        case .basic where !fields.has("credentials"):
            fields.note("auth_type", "'basic' requires 'credentials' with 'username' and 'password'; add them")
        case .staticToken where !fields.has("token"):
            fields.note("auth_type", "'token' requires a 'token' field; add it")
        default: break
        }
        guard let awsProfile else { return }
        if awsProfile.isEmpty {
            fields.note("aws_profile", "must not be empty; leave it out for the credentials of the environment")
        } else if authType != .ecr {
            fields.note("aws_profile", "requires explicit 'auth_type: ecr'")
        }
    }
}

extension DefaultsBlock {
    /// Reads the keys that `defaults` and a mapping have in common; does not finish the fields.
    fileprivate init(_ fields: Fields) {
        source = fields.located("source")
        targets = fields.patterns("targets").map { Located(value: $0, line: fields.line(of: "targets")) }
        tags = fields.fields("tags").map(TagsBlock.init)
        let platforms = fields.texts("platforms", isOptional: true)
        self.platforms = platforms.map { Located(value: $0, line: fields.line(of: "platforms")) }
        let artifacts = fields.fields("artifacts").map(ArtifactFilter.init)
        self.artifacts = artifacts.map { Located(value: $0, line: fields.line(of: "artifacts")) }
    }
}

extension MappingBlock {
    /// Reads an element of `mappings`; `nil` when it does not say what it maps.
    fileprivate init?(index: Int, _ fields: Fields) {
        let from = fields.requiredText("from")
        fields.findings.mapping = from
        defer { fields.findings.mapping = nil }
        let to = fields.text("to")
        let own = DefaultsBlock(fields)
        fields.finish()
        guard let from else { return nil }
        self.init(index: index, line: fields.line, from: from, to: to, own: own)
    }
}

extension TagsBlock {
    fileprivate init(_ fields: Fields) {
        line = fields.line
        glob = fields.patterns("glob")?.all
        semver = fields.text("semver")
        include = fields.patterns("include")?.all
        exclude = fields.patterns("exclude")?.all
        sort = fields.choice("sort")
        latest = fields.count("latest").map { Located(value: $0, line: fields.line(of: "latest")) }
        minTags = fields.count("min_tags")
        immutableTags = fields.text("immutable_tags")
        Self.refuseRemovedKey(fields)
        fields.finish()
    }

    private static func refuseRemovedKey(_ fields: Fields) {
        guard fields.has("semver_prerelease") else { return }
        let prereleases = TagFilter.builtInExcludes.map { "\"\($0)\"" }.joined(separator: ", ")
        fields.note(
            "semver_prerelease",
            "has been removed from ocync; for exclude delete it, as \(prereleases) are dropped anyway; for include "
                + "write include: [\(prereleases)]; for only, write those as glob and as include"
        )
    }
}

extension ArtifactFilter {
    fileprivate init(_ fields: Fields) {
        self.init()
        isEnabled = fields.flag("enabled", default: true)
        include = fields.texts("include", isOptional: false) ?? []
        exclude = fields.texts("exclude", isOptional: false) ?? []
        isRequired = fields.flag("require_artifacts", default: false)
        fields.finish()
    }
}

extension Fields {
    /// A text that may be left out, with its line.
    fileprivate func located(_ key: String) -> Located<String>? {
        text(key).map { Located(value: $0, line: line(of: key)) }
    }
}
