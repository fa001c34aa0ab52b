import FoundationEssentials
import MirrorCore
import OCI
import Subprocess
import SystemPackage

/// Asks a `docker-credential-*` program for credentials (PROTOCOL.md E3).
enum CredentialHelper {
    /// Why a helper gave no answer.
    ///
    /// Never holds what the helper wrote: that may be the secret.
    enum Failure: Error, Hashable {
        case illegalName
        case notRun
        case failed
        case timedOut
        case unreadable
    }

    /// Runs `docker-credential-<name> get`, found by the `PATH` of `environment`, and without a shell.
    ///
    /// Returns `nil` when the helper knows no credentials for `server`.
    static func credentials(
        from name: String,
        server: String,
        environment: [String: String],
        timeout: Duration = .seconds(10)
    ) async throws -> Credentials? {
        // A name with a slash would be a path.
        guard !name.isEmpty, name.utf8.allSatisfy(\.isOfHelperName) else { throw Failure.illegalName }
        let result = try await withThrowingTaskGroup { group in
            group.addTask { try await run("docker-credential-\(name)", server: server, environment: environment) }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw Failure.timedOut
            }
            // The first to end decides; leaving cancels the other, which ends the program.
            defer { group.cancelAll() }
            return try await group.next() ?? (succeeded: false, output: "")
        }
        if result.succeeded { return try parse(result.output) }
        guard result.output.trimmingNewlines == "credentials not found in native keychain" else { throw Failure.failed }
        return nil
    }

    private static func run(
        _ program: String,
        server: String,
        environment: [String: String]
    ) async throws -> (succeeded: Bool, output: String) {
        let variables = Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0), $1) })
        var platform = PlatformOptions()
        // A script may have started others, which hold its output open: all of them end.
        platform.createSession = true
        platform.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        do {
            let result = try await Subprocess.run(
                .name(program),
                arguments: ["get"],
                environment: .custom(variables),
                platformOptions: platform,
                input: .fileDescriptor(standardInput(server), closeAfterSpawningProcess: true),
                output: .string(limit: 64 << 10),
                error: .discarded
            )
            return (result.terminationStatus.isSuccess, result.standardOutput)
        } catch is CancellationError {
            throw Failure.timedOut
        } catch {
            throw Failure.notRun
        }
    }

    /// A pipe that already holds `text`, which is far below what a pipe takes without a reader.
    ///
    /// Not swift-subprocess's own input: as of 1.0.2 the process traps when a program ends without having read it.
    private static func standardInput(_ text: String) throws -> FileDescriptor {
        let pipe = try FileDescriptor.pipe()
        try pipe.writeEnd.closeAfter { _ = try pipe.writeEnd.writeAll(text.utf8) }
        return pipe.readEnd
    }

    private static func parse(_ output: String) throws(Failure) -> Credentials {
        struct Answer: Decodable {
            var username: String
            var secret: String

            enum CodingKeys: String, CodingKey {
                case username = "Username"
                case secret = "Secret"
            }
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output.utf8)) else { throw .unreadable }
        // The protocol's way to say that the secret is an OAuth2 refresh token.
        if answer.username == "<token>" { return .identityToken(Secret(answer.secret)) }
        guard !answer.username.isEmpty else { throw .unreadable }
        return .password(username: answer.username, Secret(answer.secret))
    }
}

extension String {
    fileprivate var trimmingNewlines: String {
        String(reversed().drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace))
    }
}

extension UInt8 {
    fileprivate var isOfHelperName: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
