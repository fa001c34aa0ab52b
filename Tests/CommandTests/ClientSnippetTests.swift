import ArgumentParser
import Foundation
import Settings
import Testing

@testable import tidepool

@Suite("What client-config prints")
struct ClientSnippetTests {
    /// The lines of a shipped file that are neither empty nor comments.
    private static func shipped(_ path: String) throws -> [Substring] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return lines(try String(contentsOf: root.appending(path: path), encoding: .utf8))
    }

    private static func lines(_ text: String) -> [Substring] {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }
    }

    @Test("for Docker it is the shipped file, and JSON has the place beside it")
    func docker() throws {
        let snippet = ClientSnippet(.docker, .local)
        #expect(Self.lines(snippet.text) == (try Self.shipped("config/docker/daemon.json")))
        #expect(snippet.note?.contains("/etc/docker/daemon.json") == true)
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(snippet.text.utf8)) }
    }

    @Test("for containerd it is the shipped file, with the place in a comment")
    func containerd() throws {
        let snippet = ClientSnippet(.containerd, .local)
        #expect(Self.lines(snippet.text) == (try Self.shipped("config/containerd/docker.io/hosts.toml")))
        #expect(snippet.text.hasPrefix("# /etc/containerd/certs.d/docker.io/hosts.toml\n"))
        #expect(snippet.note == nil)
    }

    @Test("for podman it is the first registry of the shipped file")
    func podman() throws {
        let snippet = ClientSnippet(.podman, .local)
        let lines = Self.lines(snippet.text)
        #expect(lines == Array(try Self.shipped("config/podman/registries.conf").prefix(lines.count)))
        #expect(snippet.note == nil)
    }

    @Test(
        "for what needs a file of its own it is the shipped one",
        arguments: [
            (ClientConfigCommand.Client.buildkit, "config/buildkit/buildkitd.toml"),
            (.k3s, "config/k3s/registries.yaml"), (.flux, "config/flux/ocirepository.yaml"),
        ]
    )
    func shippedFile(client: ClientConfigCommand.Client, path: String) throws {
        #expect(Self.lines(ClientSnippet(client, .local).text) == (try Self.shipped(path)))
    }

    @Test("for Helm it is a command, without TLS only where the mirror has none")
    func helm() throws {
        let secure = try EndpointURL("https://mirror.example")
        #expect(ClientSnippet(.helm, .local).text.contains("oci://127.0.0.1:5000/ghcr.io/"))
        #expect(ClientSnippet(.helm, .local).text.contains("--plain-http"))
        #expect(!ClientSnippet(.helm, secure).text.contains("--plain-http"))
    }

    @Test("a mirror with TLS and a path is written as each client wants it")
    func otherMirror() throws {
        let mirror = try EndpointURL("https://mirror.example/hub/")
        #expect(ClientSnippet(.docker, mirror).text.contains("[\"https://mirror.example/hub\"]"))
        #expect(ClientSnippet(.containerd, mirror).text.contains("[host.\"https://mirror.example/hub\"]"))
        let podman = Self.lines(ClientSnippet(.podman, mirror).text)
        #expect(podman.contains("location = \"mirror.example/hub\""))
        #expect(podman.contains("insecure = false"))
        // A path of an endpoint would stand in the place of /v2 there.
        #expect(ClientSnippet(.k3s, mirror).text.contains("[\"https://mirror.example/v2/hub\"]"))
        #expect(ClientSnippet(.buildkit, mirror).text.contains("mirrors = [\"mirror.example/hub\"]"))
        #expect(ClientSnippet(.flux, mirror).text.contains("oci://mirror.example/hub/ghcr.io/"))
    }
}

@Suite("The command line")
struct CommandLineTests {
    @Test(
        "what is no command, client or URL is a usage error",
        arguments: [
            ["bake"], ["client-config", "rkt"], ["client-config", "docker", "--mirror", "x"], ["health", "x"],
        ]
    )
    func usageErrors(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try Tidepool.parseAsRoot(arguments) }
        #expect(error.map { Tidepool.exitCode(for: $0).rawValue } == 64)
    }

    @Test("a mirror's URL with a password in it is refused, with the reason")
    func secretInURL() throws {
        let arguments = ["client-config", "docker", "--mirror", "http://me:hunter2@mirror.example"]
        let error = #expect(throws: (any Error).self) { try Tidepool.parseAsRoot(arguments) }
        #expect(error.map { Tidepool.fullMessage(for: $0).contains("user name or password") } == true)
    }

    @Test("settings that cannot be read exit with 3")
    func configurationError() throws {
        let error = #expect(throws: ExitCode.self) { try CheckConfigCommand.load("/nonexistent/tidepool.yaml") }
        #expect(error == .configurationError)
        #expect(ExitCode.configurationError.rawValue == 3)
    }
}
