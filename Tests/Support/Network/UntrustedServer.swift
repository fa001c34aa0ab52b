/// A TLS server on loopback whose certificate nobody has signed.
package struct UntrustedServer: Sendable {
    package struct DidNotStart: Error, CustomStringConvertible {
        package let description: String
    }

    package let port: Int
    private let process: ChildProcess
    private let directory: TemporaryDirectory

    /// Starts `openssl s_server` with a certificate made for it.
    package static func start() async throws -> UntrustedServer {
        let directory = try TemporaryDirectory("tls")
        let (certificate, key) = (directory.path("certificate.pem"), directory.path("key.pem"))
        let made = try await Command.run(
            [ClientTool.openssl.path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
                + ["-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
        )
        guard made.succeeded else { throw DidNotStart(description: "\(made)") }
        let process = try await ChildProcess.launch(
            [ClientTool.openssl.path, "s_server", "-accept", "127.0.0.1:0", "-www", "-key", key, "-cert", certificate],
            environment: Command.isolated,
            output: directory.path("out"),
            errors: directory.path("err")
        )
        for _ in 0..<500 where process.isRunning {
            if let port = port(in: directory.read("out")) {
                return UntrustedServer(port: port, process: process, directory: directory)
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw DidNotStart(description: directory.read("err"))
    }

    /// Reads the line `ACCEPT 127.0.0.1:12345`.
    private static func port(in output: String) -> Int? {
        let line = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .first { $0.hasPrefix("ACCEPT") }
        return line?.split(separator: ":").last.flatMap { Int($0) }
    }

    package func stop() async {
        process.kill()
        await process.waitForExit()
    }
}
