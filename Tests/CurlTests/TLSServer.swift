import Foundation

/// An `openssl s_server` with a certificate of its own making for `localhost`.
final class TLSServer {
    let port: Int
    /// The certificate's file.
    let certificate: String
    private let folder: URL
    private let process: Process

    enum Failure: Error {
        case openssl(Int32)
        case noPort
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tidepool-tls-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appending(path: "certificate.pem").path()
        let key = folder.appending(path: "key.pem").path()
        let request = try Self.openssl(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
                + ["-keyout", key, "-out", certificate],
            output: Pipe()
        )
        request.waitUntilExit()
        guard request.terminationStatus == 0 else { throw Failure.openssl(request.terminationStatus) }
        let output = Pipe()
        process = try Self.openssl(
            ["s_server", "-accept", "127.0.0.1:0", "-www", "-key", key, "-cert", certificate],
            output: output
        )
        port = try Self.port(in: output)
    }

    deinit {
        // Not `terminate()`: the child inherits a signal mask that holds SIGTERM back.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    private static func openssl(_ arguments: [String], output: Pipe) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Waits for the line `ACCEPT 127.0.0.1:12345`.
    private static func port(in output: Pipe) throws -> Int {
        var text = ""
        while true {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw Failure.noPort }
            text += String(decoding: data, as: UTF8.self)
            for line in text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1)
            where line.hasPrefix("ACCEPT") {
                if let port = line.split(separator: ":").last.flatMap({ Int($0) }) { return port }
            }
        }
    }
}
