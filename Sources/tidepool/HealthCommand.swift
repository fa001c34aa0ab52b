import ArgumentParser
import Curl
import Settings

/// Asks a running mirror whether it is ready: for health checks of containers.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask a mirror whether it is ready; exit 0 if it is, 1 if not."
    )

    @Argument(help: "The mirror's URL.", transform: Self.url)
    var url = ClientSnippet.Mirror.local

    func run() async throws {
        if let problem = await problem() {
            Console.problem("\(url) is not ready: \(problem)")
            throw ExitCode.partlyFailed
        }
    }

    /// Why the mirror is not ready, if it is not.
    private func problem() async -> String? {
        let loop = TransferLoop(name: "health")
        defer { loop.shutDown() }
        do {
            let status = try await loop.send(request, to: DiscardingSink()).status
            return status == 200 ? nil : "it answered \(status)"
        } catch {
            return error.message
        }
    }

    /// One quick request, straight to the mirror.
    ///
    /// The certificate is not checked: the question is whether this server answers, and a health check asks it by an
    /// address that no certificate names.
    private var request: TransferRequest {
        TransferRequest(
            url: "\(url)/readyz",
            timeouts: .init(connect: .seconds(2), head: .seconds(3), stall: .seconds(3), total: .seconds(4)),
            limits: .init(body: 64 << 10),
            connection: .init(isInsecure: true, proxy: "")
        )
    }

    private static func url(_ text: String) throws -> EndpointURL {
        do {
            return try EndpointURL(text)
        } catch {
            throw ValidationError("the URL \(error.text)")
        }
    }
}

/// Takes a body and keeps nothing of it.
private final class DiscardingSink: TransferSink {
    func begin(_ head: ResponseHead) -> Bool { true }

    func receive(_ bytes: Span<UInt8>) -> Intake { .taken }
}
