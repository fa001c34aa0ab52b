import YAMLReading

extension OcyncConfiguration {
    /// Reads the text of an ocync file, or of a Helm `values.yaml` with the configuration under `config`.
    ///
    /// `file` is how problems name it. Pure: nothing is opened. What ocync refuses only when it runs (a bad pattern, a
    /// mapping without a source) is a warning here, and a problem of that mapping.
    ///
    /// - Throws: All that is wrong with the environment, else with the YAML and its types, else with their meaning.
    package static func load(
        text: String,
        file: String,
        environment: [String: String],
        leniency: Leniency = Leniency()
    ) throws(OcyncError) -> LoadedOcync {
        let expanded = EnvironmentExpansion(environment: environment).expand(text)
        let findings = Findings(file: file, text: expanded)
        for failure in expanded.failures { findings.note(failure) }
        try findings.throwProblems()
        for unset in expanded.unset { findings.warn(unset) }

        let content = try OcyncFile.read(expanded.text, findings)
        try findings.throwProblems()
        let resolution = Resolution(content: content, leniency: leniency, findings: findings)
        resolution.validate()
        try findings.throwProblems()
        let configuration = resolution.configuration()
        return LoadedOcync(configuration: configuration, warnings: findings.warnings.inOrderOfLines)
    }
}

extension OcyncFile {
    /// Reads the text as YAML.
    fileprivate static func read(_ text: String, _ findings: Findings) throws(OcyncError) -> OcyncFile {
        let root: YAMLNode?
        do {
            root = try YAMLDocument(text).root
        } catch {
            findings.note(error.reason, line: error.line, path: "")
            try findings.throwProblems()
            return OcyncFile()
        }
        if let config = root?.helmConfiguration {
            let fields = Fields(config.value, path: "config", line: config.line, findings: findings)
            return fields.map(OcyncFile.init) ?? OcyncFile()
        }
        guard let root else { return OcyncFile(Fields([], path: "", line: nil, findings: findings)) }
        return Fields(root, path: "", line: root.line, findings: findings).map(OcyncFile.init) ?? OcyncFile()
    }
}

extension YAMLNode {
    /// The entry `config` of a Helm values file: one that has `mappings` where the file itself has none.
    fileprivate var helmConfiguration: Entry? {
        guard let mapping, !mapping.contains(where: { $0.name == "mappings" }) else { return nil }
        return mapping.last { entry in
            entry.name == "config" && entry.value.mapping?.contains { $0.name == "mappings" } == true
        }
    }
}

extension Findings {
    fileprivate func throwProblems() throws(OcyncError) {
        if !problems.isEmpty { throw OcyncError(problems: problems.inOrderOfLines) }
    }
}
