import MirrorCore

extension MirrorError {
    /// What went wrong, for people; `subject` is what was asked for.
    func explanation(of subject: String) -> String {
        switch self {
        case .upstreamUnknown(let name): "no upstream \"\(name)\" is configured"
        case .repositoryUnknown: "\(subject): the registry has no such repository, or does not show it"
        case .manifestUnknown, .blobUnknown: "\(subject) is not there, says the registry"
        case .denied: "\(subject): the registry denies access"
        case .forbidden: "\(subject): the mirror's settings (allow, deny) do not let it through"
        case .limited(.pull, _): "\(subject): the registry's pull limit is reached"
        case .limited(.abuse, _): "\(subject): the registry wants fewer requests"
        case .limited(.reserve, _): "\(subject): what is left of the quota is reserved for pulls"
        case .unavailable(let reason, _) where Self.isCredentialsFault(reason):
            "\(subject): the registry refuses our credentials"
        case .unavailable("mirror_gone", _): "\(subject): the mirror does not answer any more"
        case .unavailable("not_kept", _): "\(subject) was not kept: the cache has no room for it"
        case .unavailable(let reason, _): "\(subject): the registry cannot be asked (\(reason))"
        case .corrupt: "\(subject): what the registry sends does not have its digest"
        case .tooSlow: "\(subject): the registry does not answer in time"
        case .shuttingDown: "\(subject): ended before it was done"
        }
    }

    /// Whether it is a matter of credentials.
    var isAuthentication: Bool {
        switch self {
        case .denied: true
        case .unavailable(let reason, _): Self.isCredentialsFault(reason)
        default: false
        }
    }

    /// Whether the same may succeed a moment later.
    var isTransient: Bool {
        switch self {
        case .unavailable(let reason, _): !Self.isCredentialsFault(reason) && !Self.lastingReasons.contains(reason)
        case .limited(.abuse, _), .tooSlow: true
        default: false
        }
    }

    /// Asking again is in vain: the cache has no room, or the mirror itself has gone.
    private static let lastingReasons: Set<String> = ["not_kept", "mirror_gone", "mirror_version"]

    private static func isCredentialsFault(_ reason: String) -> Bool {
        reason == UpstreamError.credentialsRefused.label
    }
}

extension MappingFailure {
    init(_ error: MirrorError, asking subject: String) {
        let text = error.explanation(of: subject)
        self = error.isAuthentication ? .denied(text) : .registry(text)
    }
}
