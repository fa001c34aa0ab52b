import Dispatch
import FoundationEssentials
import Locking
import Logging
import MirrorCore
import OCI

/// Finds an upstream's credentials, and keeps them for a while.
///
/// What docker's configuration says is asked for anew after a few minutes and after a refusal: helpers for clouds give
/// secrets that expire. Safe to use from any task; nothing in it blocks the caller's thread.
final class CredentialSource: Sendable {
    /// How long an answer of docker's configuration is kept.
    static let lifetime = Duration.seconds(300)

    private enum Origin: Sendable {
        case fixed(Credentials)
        case dockerConfig(RegistryKeys, environment: [String: String])
    }

    private let origin: Origin
    private let kept = Locked<(credentials: Credentials, until: ContinuousClock.Instant)?>(nil)
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
    func current() async throws(UpstreamError) -> Credentials {
        switch origin {
        case .fixed(let credentials): return credentials
        case .dockerConfig(let keys, let environment):
            if let kept = kept.withLock({ $0 }), ContinuousClock.now < kept.until { return kept.credentials }
            return try await lookUp(keys, environment)
        }
    }

    /// Other credentials than those that were refused, where asking again gives some.
    func renewed(after refused: Credentials) async throws(UpstreamError) -> Credentials? {
        guard case .dockerConfig(let keys, let environment) = origin else { return nil }
        let credentials = try await lookUp(keys, environment)
        return credentials == refused ? nil : credentials
    }

    private func lookUp(
        _ keys: RegistryKeys,
        _ environment: [String: String]
    ) async throws(UpstreamError) -> Credentials {
        try await lookups.value(for: true) { () async throws(UpstreamError) in
            let found = await self.find(keys, environment)
            // After a failure the old ones are the better guess, and it is tried again soon.
            let credentials = found ?? self.kept.withLock { $0?.credentials } ?? .anonymous
            let lifetime = found == nil ? .seconds(30) : Self.lifetime
            self.kept.withLock { $0 = (credentials, ContinuousClock.now + lifetime) }
            return credentials
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
