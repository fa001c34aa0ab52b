import FoundationEssentials
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Docker configuration")
struct DockerConfigTests {
    static let user = DockerConfig.Candidate.credentials(.password(username: "user", Secret("pa:ss")))
    static let auth = #"{"auth":"dXNlcjpwYTpzcw=="}"#

    @Test(
        "finds a registry's credentials",
        arguments: [
            (#"{"auths":{"https://index.docker.io/v1/":AUTH}}"#, "docker.io", [user]),
            (#"{"auths":{"docker.io":AUTH}}"#, "docker.io", [user]),
            (#"{"auths":{"registry-1.docker.io":AUTH}}"#, "docker.io", [user]),
            (#"{"auths":{"index.docker.io/v1/":AUTH}}"#, "docker.io", [user]),
            (#"{"auths":{"https://index.docker.io/v1/access-token":AUTH}}"#, "docker.io", []),
            (#"{"auths":{"https://index.docker.io/v1/refresh-token":AUTH}}"#, "docker.io", []),
            (#"{"auths":{"registry.example:5000":AUTH}}"#, "registry.example:5000", [user]),
            (#"{"auths":{"registry.example:5000":AUTH}}"#, "registry.example", []),
            (#"{"auths":{"https://ghcr.io":AUTH}}"#, "ghcr.io", [user]),
            (#"{"auths":{"http://ghcr.io/v2/":AUTH}}"#, "ghcr.io", [user]),
            (#"{"auths":{"ghcr.io/org/name":AUTH}}"#, "ghcr.io", []),
            (#"{"auths":{"ghcr.io":{}}}"#, "ghcr.io", []),
            (#"{"auths":{"ghcr.io":{"username":"user","password":"pa:ss"}}}"#, "ghcr.io", [user]),
            // `user:pa:ss` and two NULs; no user; no colon; not base64.
            (#"{"auths":{"ghcr.io":{"auth":"dXNlcjpwYTpzcwAA"}}}"#, "ghcr.io", [user]),
            (#"{"auths":{"ghcr.io":{"auth":"OnBhc3M="}}}"#, "ghcr.io", []),
            (#"{"auths":{"ghcr.io":{"auth":"dXNlcg=="}}}"#, "ghcr.io", []),
            (#"{"auths":{"ghcr.io":{"auth":"%%%"}}}"#, "ghcr.io", []),
            (
                #"{"auths":{"a.azurecr.io":{"auth":"MDAwOg==","identitytoken":"I"}}}"#, "a.azurecr.io",
                [.credentials(.identityToken(Secret("I")))]
            ),
            (
                #"{"auths":{"ghcr.io":{"registrytoken":"R"}}}"#, "ghcr.io",
                [.credentials(.registryToken(Secret("R")))]
            ),
            (
                #"{"auths":{"ghcr.io":AUTH},"credsStore":"desktop","credHelpers":{"ghcr.io":"gh"}}"#, "ghcr.io",
                [.helper(name: "gh", server: "ghcr.io"), .helper(name: "desktop", server: "ghcr.io"), user]
            ),
            (
                #"{"credsStore":"desktop"}"#, "docker.io",
                [.helper(name: "desktop", server: "https://index.docker.io/v1/")]
            ),
            (#"{"credHelpers":{"docker.io":"x"}}"#, "docker.io", [.helper(name: "x", server: "docker.io")]),
            ("{}", "docker.io", []),
        ] as [(String, String, [DockerConfig.Candidate])]
    )
    func lookup(document: String, registry: String, expected: [DockerConfig.Candidate]) throws {
        let config = DockerConfig(Array(document.replacing("AUTH", with: Self.auth).utf8))
        #expect(try #require(config).candidates(for: RegistryKeys(name: registry)) == expected)
    }

    @Test("is not read when it is something else", arguments: ["", "[]", #"{"auths":[]}"#])
    func unreadable(document: String) {
        #expect(DockerConfig(Array(document.utf8)) == nil)
    }

    @Test("is where DOCKER_CONFIG says, or below the home directory")
    func path() {
        #expect(CredentialSource.configPath(["DOCKER_CONFIG": "/d", "HOME": "/h"]) == "/d/config.json")
        #expect(CredentialSource.configPath(["DOCKER_CONFIG": "", "HOME": "/h"]) == "/h/.docker/config.json")
        #expect(CredentialSource.configPath([:]) == nil)
    }
}

@Suite("Credential helper", .timeLimit(.minutes(1)))
struct CredentialHelperTests {
    private func ask(_ script: String, name: String = "fake") async throws -> Credentials? {
        let home = try HelperHome(config: "{}", helper: script)
        return try await CredentialHelper.credentials(from: name, server: "ghcr.io", environment: home.environment)
    }

    @Test("gets the server on standard input and gives user and secret")
    func answers() async throws {
        let script = #"printf '{"ServerURL":"s","Username":"%s","Secret":"%s"}' "$(cat)" "$1""#
        #expect(try await ask(script) == .password(username: "ghcr.io", Secret("get")))
    }

    @Test("gives an identity token by a name of its own")
    func identityToken() async throws {
        #expect(try await ask(#"echo '{"Username":"<token>","Secret":"I"}'"#) == .identityToken(Secret("I")))
    }

    @Test("that knows nothing says so, and that is no failure")
    func notFound() async throws {
        #expect(try await ask("echo 'credentials not found in native keychain'; exit 1") == nil)
    }

    @Test(
        "that fails, or babbles, is told apart",
        arguments: [
            ("echo 'no credentials server URL'; exit 1", CredentialHelper.Failure.failed),
            ("echo hello", .unreadable), (#"echo '{"Username":"","Secret":"s"}'"#, .unreadable),
            ("exit 0", .unreadable),
        ]
    )
    func failures(script: String, expected: CredentialHelper.Failure) async {
        await #expect(throws: expected) { try await ask(script) }
    }

    @Test("that hangs is ended, with what it started")
    func hangs() async throws {
        let home = try HelperHome(config: "{}", helper: "sleep 1000; echo never")
        await #expect(throws: CredentialHelper.Failure.timedOut) {
            try await CredentialHelper.credentials(
                from: "fake",
                server: "ghcr.io",
                environment: home.environment,
                timeout: .milliseconds(300)
            )
        }
    }

    @Test("that is not there, or whose name is a path, is not run")
    func names() async {
        await #expect(throws: CredentialHelper.Failure.notRun) { try await ask("exit 0", name: "absent") }
        for name in ["", "../x", "a b", "a;b"] {
            await #expect(throws: CredentialHelper.Failure.illegalName) { try await ask("exit 0", name: name) }
        }
    }
}

/// A home directory with a docker configuration, and `docker-credential-fake` on its path.
struct HelperHome: ~Copyable {
    let environment: [String: String]
    private let folder: URL

    init(config: String, helper: String) throws {
        folder = URL(filePath: "/tmp/tidepool-helper-\(UInt64.random(in: 0 ... .max))")
        let program = folder.appending(path: "docker-credential-fake")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(config.utf8).write(to: folder.appending(path: "config.json"))
        try Data("#!/bin/sh\n\(helper)\n".utf8).write(to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path())
        environment = [
            "DOCKER_CONFIG": folder.path(), "HOME": folder.path(), "PATH": "\(folder.path()):/usr/bin:/bin",
        ]
    }

    /// What the helper has written to a file of that name.
    func text(of name: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(at: folder)
    }
}
