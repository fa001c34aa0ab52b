import OCI
package import YAMLReading

/// Settings as read, with what is odd about them but no mistake.
package struct LoadedSettings: Hashable, Sendable {
    package var settings: MirrorSettings
    package var warnings: [Problem]
}

extension MirrorSettings {
    /// Reads the text of a settings file.
    ///
    /// `file` is how problems name it; relative paths in it are taken from its directory. Pure: nothing is opened.
    ///
    /// - Throws: All problems at once.
    package static func load(
        text: String,
        file: String,
        environment: [String: String]
    ) throws(SettingsError) -> LoadedSettings {
        let findings = Findings(file: file, environment: environment)
        let settings = try read(text, environment, findings)
        guard findings.problems.isEmpty else { throw SettingsError(findings.problems.inOrderOfLines) }
        return LoadedSettings(settings: settings, warnings: findings.warnings.inOrderOfLines)
    }

    /// Reads as far as possible, noting problems.
    static func read(
        _ text: String,
        _ environment: [String: String],
        _ findings: Findings
    ) throws(SettingsError) -> MirrorSettings {
        var settings = MirrorSettings(environment: environment)
        let document: YAMLDocument
        do {
            document = try YAMLDocument(text)
        } catch {
            let problem = Problem(file: findings.file, line: error.line, path: "", message: error.reason)
            throw SettingsError([problem])
        }
        guard let root = document.root else { return settings }
        guard let mapping = root.mapping else {
            if root.scalar?.text.isEmpty != true {
                findings.note("the file must be a mapping of keys to values", line: root.line, path: "")
            }
            return settings
        }
        let section = Section(mapping, path: "", pattern: "", line: nil, findings: findings)
        settings.read(section)
        section.finish()
        return settings
    }

    private mutating func read(_ root: Section) {
        readListeners(root)
        root.read("data_dir", .path(in: root.findings.file), into: &dataDirectory)
        readUpstreams(root)
        root.readSection("cache") { cache.read($0) }
        root.readSection("limits") { limits.read($0) }
        root.read("when_exhausted", .choice, into: &whenExhausted)
        root.readSection("admin") { admin.read($0) }
        root.read("drain", .duration, into: &drain)
        root.readList("serve_targets", .path(in: root.findings.file), into: &serveTargets)
        root.readSection("log") { section in
            section.read("level", .choice, into: &log.level)
            section.read("format", .choice, into: &log.format)
        }
    }

    private mutating func readListeners(_ root: Section) {
        var listeners: [Listener] = []
        let isGiven = root.forEachItem(of: "listen") { item in
            let isMapping = item.readSection { section in
                guard let listener = Listener(section) else { return }
                if listeners.contains(where: { $0.address == listener.address && listener.address.port != 0 }) {
                    section.note("address", "is given more than once")
                }
                listeners.append(listener)
            }
            if !isMapping { item.note("must be a mapping with an address, such as {address: 127.0.0.1:5000}") }
        }
        if isGiven, listeners.isEmpty, root.findings.problems.isEmpty {
            root.note("listen", "must have at least one address")
        }
        if !listeners.isEmpty { listen = listeners }
    }
}

extension Listener {
    /// Reads an element of `listen`; `nil` when it has no valid address.
    fileprivate init?(_ section: Section) {
        var address: ListenAddress?
        section.read("address", .listenAddress, into: &address)
        var tls: TLSFiles?
        section.readSection("tls") { tls = TLSFiles($0) }
        guard let address else {
            if !section.has("address") { section.note("address", "is needed") }
            return nil
        }
        self.init(address: address, tls: tls)
    }
}

extension TLSFiles {
    fileprivate init?(_ section: Section) {
        var certificate: String?
        var key: String?
        section.read("certificate", .path(in: section.findings.file), into: &certificate)
        section.read("key", .path(in: section.findings.file), into: &key)
        guard let certificate, let key else {
            for name in ["certificate", "key"] where !section.has(name) {
                section.note(name, "is needed: TLS takes a certificate and its key")
            }
            return nil
        }
        self.init(certificate: certificate, key: key)
    }
}

extension CacheSettings {
    fileprivate mutating func read(_ section: Section) {
        section.read("max_size", .byteCount, into: &maxSize)
        section.read("min_free", .freeSpace, into: &minFree)
        section.read("max_manifests_size", .byteCount, into: &maxManifestsSize)
        // LMDB's own default is 10 MiB; an index in less than one would be full with the first pull.
        section.read("index_map_size", .byteCount(atLeast: ByteCount(bytes: 1 << 20)), into: &indexMapSize)
    }
}

extension LimitSettings {
    fileprivate mutating func read(_ section: Section) {
        section.read("connections", .count(1...1_000_000), into: &connections)
        // A request with a bearer token and Docker's six Accept lines passes 1 KiB easily.
        section.read("header_bytes", .byteCount(atLeast: ByteCount(bytes: 4 << 10)), into: &headerBytes)
        section.read("head_timeout", .positiveDuration, into: &headTimeout)
        section.read("idle_timeout", .positiveDuration, into: &idleTimeout)
        section.read("send_stall", .positiveDuration, into: &sendStall)
    }
}

extension AdminSettings {
    fileprivate mutating func read(_ section: Section) {
        section.read("address", .adminAddress, into: &address)
        section.read("token", .secret, into: &token)
        if token?.isEmpty == true { token = nil }
    }
}
