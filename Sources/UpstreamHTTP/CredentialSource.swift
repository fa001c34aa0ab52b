import Dispatch
import FoundationEssentials
import Locking
import Logging
import MirrorCore
import OCI

/// Finds an upstream's credentials, and keeps them for a while.
///
/// What docker's configuration says is asked for anew after a few minutes and after a refusal: helpers for clouds give
/// secrets that expire. A helper that fails is an outage of ours, `.credentialsRefused`: to go on without credentials would
/// make it the registry's denial. Safe to use from any task; nothing in it blocks the caller's thread.
final class CredentialSource: Sendable {
    /// How long an answer of docker's configuration is kept.
    static let lifetime = Duration.seconds(300)

    /// How long a helper that failed is left alone.
    static let failurePause = Duration.seconds(30)
    /// How long after a refusal's new lookup the next one may run.
    static let renewalPause = Duration.seconds(60)

    private struct State {
        /// What was found last, which serves on while a helper fails.
        var found: Credentials?
        /// Until when it is not looked for again.
        var until: ContinuousClock.Instant?
        var renewedAt: ContinuousClock.Instant?

        func outcome() throws(UpstreamError) -> Credentials {
            guard let found else { throw .credentialsRefused }
            return found
        }
    }

    private enum Origin: Sendable {
        case fixed(Credentials)
        case dockerConfig(RegistryKeys, environment: [String: String])
    }

    private let origin: Origin
    private let state = Locked(State())
    private let lookups = SingleFlight<Bool, Credentials>()
    private let logger: Logger

    init(_ choice: CredentialChoice, upstream: UpstreamName, environment: [String: String], logger: Logger) {
        self.logger = logger
        origin =
            switch choice {
            case .anonymous: .fixed(.anonymous)
            case .password(let username, let password): .fixed(.password(username: username, password))
            case .token(let token): .fixed(.registryToken(token))
            case .dockerConfig: .dockerConfig(RegistryKeys(name: upstream.text), environment: environment)
            }
    }

    /// What to show now.
    ///
    /// Throws `.credentialsRefused` when a helper failed and there is nothing from before.
    func current() async throws(UpstreamError) -> Credentials {
        switch origin {
        case .fixed(let credentials): return credentials
        case .dockerConfig(let keys, let environment):
            let state = state.withLock { $0 }
            if let until = state.until, ContinuousClock.now < until { return try state.outcome() }
            return try await lookUp(keys, environment)
        }
    }

    /// Other credentials than those that were refused, where asking again gives some.
    func renewed(after refused: Credentials) async throws(UpstreamError) -> Credentials? {
        guard case .dockerConfig(let keys, let environment) = origin else { return nil }
        let state = state.withLock { $0 }
        // Another request has seen to it.
        if let found = state.found, found != refused { return found }
        if let renewedAt = state.renewedAt, ContinuousClock.now < renewedAt + Self.renewalPause { return nil }
        let credentials = try await lookUp(keys, environment)
        self.state.withLock { $0.renewedAt = .now }
        return credentials == refused ? nil : credentials
    }

    private func lookUp(
        _ keys: RegistryKeys,
        _ environment: [String: String]
    ) async throws(UpstreamError) -> Credentials {
        try await lookups.value(for: true) { () async throws(UpstreamError) in
            let found = await self.find(keys, environment)
            let state = self.state.withLock { state in
                // After a failure the old ones are the better guess, and it is tried again soon.
                state.found = found ?? state.found
                state.until = .now + (found == nil ? Self.failurePause : Self.lifetime)
                return state
            }
            return try state.outcome()
        }
    }

    /// Goes through docker's configuration; `nil` when a helper failed and nothing else was found.
    private func find(_ keys: RegistryKeys, _ environment: [String: String]) async -> Credentials? {
        var hasFailed = false
        for config in await configurations(environment) {
            for candidate in config.candidates(for: keys) {
                switch candidate {
                case .credentials(let credentials): return credentials
                case .helper(let name, let server):
                    do {
                        let credentials = try await CredentialHelper.credentials(
                            from: name,
                            server: server,
                            environment: environment
                        )
                        if let credentials { return credentials }
                    } catch {
                        hasFailed = true
                        logger.warning(
                            "credential helper gave no answer",
                            metadata: ["helper": "docker-credential-\(name)", "failure": "\(error)"]
                        )
                    }
                }
            }
        }
        return hasFailed ? nil : .anonymous
    }

    /// `DOCKER_AUTH_CONFIG`, then the file.
    private func configurations(_ environment: [String: String]) async -> [DockerConfig] {
        var documents: [(name: String, bytes: [UInt8])] = []
        if let text = environment["DOCKER_AUTH_CONFIG"], !text.isEmpty {
            documents.append(("DOCKER_AUTH_CONFIG", Array(text.utf8)))
        }
        if let path = Self.configPath(environment), let bytes = await Self.read(path) {
            documents.append((path, bytes))
        }
        return documents.compactMap { document in
            let config = DockerConfig(document.bytes)
            if config == nil {
                logger.warning("docker configuration is not readable", metadata: ["in": "\(document.name)"])
            }
            return config
        }
    }

    static func configPath(_ environment: [String: String]) -> String? {
        if let folder = environment["DOCKER_CONFIG"], !folder.isEmpty { return "\(folder)/config.json" }
        return environment["HOME"].map { "\($0)/.docker/config.json" }
    }

    /// The content of a file, read on a thread that may block; `nil` when it cannot be read.
    private static func read(_ path: String) async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            DispatchQueue.global()
                .async {
                    continuation.resume(returning: (try? Data(contentsOf: URL(filePath: path))).map(Array.init))
                }
        }
    }
}
