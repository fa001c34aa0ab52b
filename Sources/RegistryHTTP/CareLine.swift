import FoundationEssentials
package import MirrorCore

/// A line of the answer to a ``CacheCall``, which `tidepool cache … --json` prints as it is.
///
/// JSON Lines: each an object with one key. `error` is the last, when what was asked for could not be done to its end.
package enum CareLine: Hashable, Sendable {
    case report(CareReport)
    case error(String)

    package init(json: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let data = Data(json)
        if let failure = try? decoder.decode(Failure.self, from: data) {
            self = .error(failure.error)
        } else {
            self = .report(try decoder.decode(CareReport.self, from: data))
        }
    }

    /// The line, its keys in a fixed order, with a newline at its end.
    package var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data =
            switch self {
            case .report(let report): try? encoder.encode(report)
            case .error(let error): try? encoder.encode(Failure(error: error))
            }
        // Strings, whole numbers and truth values always encode.
        return (data.map(Array.init) ?? []) + [UInt8(ascii: "\n")]
    }

    private struct Failure: Codable {
        var error: String
    }
}
