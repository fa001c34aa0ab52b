import YAMLReading

extension MirrorSettings {
    /// Checks that the files which the settings name can be read.
    ///
    /// - Throws: All that cannot, at once.
    package func checkFiles(namedIn settingsFile: String, isReadable: (String) -> Bool) throws(SettingsError) {
        let problems = namedFiles.filter { !isReadable($0.file) }
            .map { path, file in
                Problem(file: settingsFile, line: nil, path: path, message: "\"\(file)\" cannot be read")
            }
        guard problems.isEmpty else { throw SettingsError(problems) }
    }

    private var namedFiles: [(path: String, file: String)] {
        var files: [(path: String, file: String)] = []
        for (index, listener) in listen.enumerated() {
            guard let tls = listener.tls else { continue }
            files.append(("listen[\(index)].tls.certificate", tls.certificate))
            files.append(("listen[\(index)].tls.key", tls.key))
        }
        for upstream in upstreams {
            if let file = upstream.caFile { files.append(("upstreams.\(upstream.name).ca_file", file)) }
        }
        return files
    }
}
