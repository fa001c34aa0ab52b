import ArgumentParser

/// Runs the mirror.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Run the mirror.")

    func run() async throws {
        Console.problem("serve is not put together yet")
        throw ExitCode.failed
    }
}
