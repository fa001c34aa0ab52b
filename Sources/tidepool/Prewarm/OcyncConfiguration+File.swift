import Foundation
import Ocync
import YAMLReading

extension OcyncConfiguration {
    /// Reads an ocync file, or a Helm `values.yaml` with one under `config`; blocks on the disk.
    ///
    /// - Throws: Also when the file cannot be read, or is not UTF-8 text.
    static func load(
        file: String,
        environment: [String: String],
        leniency: Leniency = Leniency()
    ) throws(OcyncError) -> LoadedOcync {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw unreadable(file, Self.reason(error))
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw unreadable(file, "it is not UTF-8 text")
        }
        return try load(text: text, file: file, environment: environment, leniency: leniency)
    }

    private static func unreadable(_ file: String, _ message: String) -> OcyncError {
        OcyncError(problems: [Problem(file: file, line: nil, path: "", message: message)])
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile?, .fileNoSuchFile?: "there is no such file"
        case .fileReadNoPermission?: "it may not be read by this user"
        default: "it cannot be read"
        }
    }
}
