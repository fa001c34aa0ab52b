import ArgumentParser
import Settings

/// Prints what a client's configuration needs, and where it goes.
struct ClientConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-config",
        abstract: "Print the configuration that makes a client use the mirror."
    )

    enum Client: String, CaseIterable, ExpressibleByArgument {
        case docker
        case containerd
        case podman
        case buildkit
        case k3s
        case flux
        case helm
    }

    @Argument(help: "The client.")
    var client: Client

    @Option(help: "The mirror, as the client reaches it.", transform: Self.mirror)
    var mirror = ClientSnippet.Mirror.local

    func run() {
        let snippet = ClientSnippet(client, mirror)
        // JSON has no comments, so that the place is told beside the result rather than in it.
        if let note = snippet.note { Console.problem(note) }
        Console.result(snippet.text)
    }

    private static func mirror(_ text: String) throws -> EndpointURL {
        do {
            return try EndpointURL(text)
        } catch {
            throw ValidationError("the mirror's URL \(error.text)")
        }
    }
}
