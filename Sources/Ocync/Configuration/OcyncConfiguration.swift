package import YAMLReading

/// An ocync configuration with everything resolved: what is to be mirrored, from where.
package struct OcyncConfiguration: Hashable, Sendable {
    /// How many images ocync would transfer at one time.
    package var maxConcurrentTransfers = 50
    /// By alias.
    package var registries: [OcyncRegistry] = []
    /// In the order of the file.
    package var mappings: [OcyncMapping] = []

    package init() {}
}

/// A configuration as read, with what is odd about it but no mistake.
package struct LoadedOcync: Hashable, Sendable {
    package var configuration: OcyncConfiguration
    /// In the order of the file's lines.
    package var warnings: [Problem]
}

/// Everything for which ocync would refuse a file when it loads it, in the order of its lines.
package struct OcyncError: Error, Hashable {
    package let problems: [Problem]

    package init(problems: [Problem]) {
        self.problems = problems
    }
}

extension OcyncError: CustomStringConvertible {
    /// One problem a line.
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// A repository that is mirrored, and which of its tags.
package struct OcyncMapping: Hashable, Sendable {
    /// Its place in the file's list, from 0.
    package var index: Int
    /// The line of the file where it begins, from 1.
    package var line: Int?
    /// The repository at the source, as it is written: no `library/` is added.
    package var from: String
    /// The repository at the targets.
    package var to: String
    /// `nil` when neither the mapping nor the defaults name one, for which ocync refuses it when it runs.
    package var source: OcyncRegistry?
    package var targets: [OcyncRegistry]
    package var tags: TagFilter
    /// What of an index is wanted; `nil` for everything.
    package var platforms: [PlatformFilter]?
    package var artifacts: ArtifactFilter
}

extension OcyncMapping {
    /// Why ocync would refuse this mapping when it runs, though not when it loads the file.
    ///
    /// What its tags meet is ``TagFilter/problem``; that targets are missing does not matter to those who only read.
    package var problem: MappingError? {
        guard source != nil else { return .noSource(from: from) }
        let allowed = from.utf8.allSatisfy { $0.isDigit || $0.isLetter || "._/-".utf8.contains($0) }
        return from.isEmpty || !allowed ? .repository(from) : nil
    }
}

/// Why a mapping cannot be followed; ocync exits with 2 for these.
package enum MappingError: Error, Hashable, Sendable {
    case noSource(from: String)
    case repository(String)
}

extension MappingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noSource(let from):
            return "mapping '\(from)': no source registry (set mapping.source or defaults.source)"
        case .repository(""): return "invalid image reference '': repository name is empty"
        case .repository(let name):
            return "invalid image reference '\(name)': a repository name has only characters of [a-zA-Z0-9._/-]"
        }
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: false
        }
    }
}
