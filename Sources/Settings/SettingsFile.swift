import FoundationEssentials
import YAMLReading

/// Which file the settings come from.
package enum SettingsFile {
    /// The file to read: what the command line names, else `TIDEPOOL_CONFIG`, else none (the defaults).
    package static func path(given: String?, environment: [String: String]) -> String? {
        if let given { return given }
        return environment["TIDEPOOL_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension MirrorSettings {
    /// Reads a settings file; without one the defaults.
    ///
    /// Blocks: for use at start, and on threads that may.
    package static func load(file: String?, environment: [String: String]) throws(SettingsError) -> LoadedSettings {
        guard let file else { return LoadedSettings(settings: MirrorSettings(environment: environment), warnings: []) }
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw SettingsError(unreadable: file, (error as? CocoaError)?.readingProblem ?? "it cannot be read")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw SettingsError(unreadable: file, "it is not UTF-8 text")
        }
        return try load(text: text, file: file, environment: environment)
    }
}

extension SettingsError {
    fileprivate init(unreadable file: String, _ message: String) {
        self.init([Problem(file: file, line: nil, path: "", message: message)])
    }
}

extension CocoaError {
    fileprivate var readingProblem: String? {
        switch code {
        case .fileReadNoSuchFile, .fileNoSuchFile: "there is no such file"
        case .fileReadNoPermission: "it may not be read by this user"
        default: nil
        }
    }
}
