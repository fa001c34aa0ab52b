import MirrorCore
package import Ocync

/// Why a mapping cannot be followed.
package enum MappingFailure: Error, Hashable, Sendable {
    /// What ocync refuses when it runs.
    case mapping(MappingError)
    case filter(TagFilterError)
    /// The registry is none that this mirror has.
    case unknownUpstream(String)
    /// No credentials that this kind of registry takes can be had here.
    case unsupportedAuthentication(String)
    /// The registry does not let us see the tags.
    case denied(String)
    /// The tags could not be asked for.
    case registry(String)
}

extension MappingFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .mapping(let error): "\(error)"
        case .filter(let error): error.hint.map { "\(error); \($0)" } ?? "\(error)"
        case .unknownUpstream(let name):
            "no upstream \"\(name)\" is configured: add it to the settings of the mirror, as upstreams: {\"\(name)\": {}}"
        case .unsupportedAuthentication(let problem), .denied(let problem), .registry(let problem): problem
        }
    }
}

/// How a command ends; the values are exit codes (DESIGN section 4), which are ocync's.
package enum PrewarmOutcome: Int32, Hashable, Sendable {
    case done = 0
    /// Some images failed, or are left.
    case partlyFailed = 1
    /// All images failed, or a mapping names what does not exist.
    case failed = 2
    case configurationError = 3
    case authenticationError = 4
}

extension MappingFailure {
    /// How ocync ends for this.
    package var outcome: PrewarmOutcome {
        switch self {
        case .filter: .configurationError
        case .denied: .authenticationError
        case .mapping, .unknownUpstream, .unsupportedAuthentication, .registry: .failed
        }
    }
}

extension PrewarmPlan {
    /// How a dry run ends: with the first mapping that fails, where ocync would end.
    package var outcome: PrewarmOutcome {
        if let failure = mappings.lazy.compactMap(\.failure).first { return failure.outcome }
        let tags = mappings.flatMap(\.tags)
        let failed = tags.count { $0.problem != nil }
        return failed == 0 ? .done : failed < tags.count ? .partlyFailed : .failed
    }
}

extension PrewarmReport {
    /// How a run ends.
    package var outcome: PrewarmOutcome {
        if let failure = failures.first?.failure { return failure.outcome }
        let failed = count(.failed) + failedTags.count
        if failed > 0 { return failed < images.count + failedTags.count ? .partlyFailed : .failed }
        return stop == nil && count(.left) == 0 ? .done : .partlyFailed
    }
}
