import FoundationEssentials
import Locking
import Logging
import NIOSSL

/// A listener's certificate and key, read again when the files change.
final class Certificates: Sendable {
    private struct Content: Equatable {
        var certificate: [UInt8]
        var key: [UInt8]
    }

    private struct State {
        var content: Content
        var context: NIOSSLContext
    }

    private let files: RegistryServer.TLSFiles
    private let state: Locked<State>

    /// Reads the files; may block.
    init(_ files: RegistryServer.TLSFiles) throws {
        self.files = files
        let content = try Self.read(files)
        state = Locked(State(content: content, context: try Self.context(content)))
    }

    /// For the next connection.
    var context: NIOSSLContext { state.withLock { $0.context } }

    /// Takes over changed files; may block.
    ///
    /// Files that do not fit each other (one of them is not written yet) or cannot be read leave what was there before.
    func reload(logger: Logger) {
        do {
            let content = try Self.read(files)
            guard state.withLock({ $0.content != content }) else { return }
            let context = try Self.context(content)
            state.withLock { $0 = State(content: content, context: context) }
            logger.notice("certificate reloaded", metadata: ["file": "\(files.certificate)"])
        } catch {
            logger.warning(
                "certificate not reloaded, the earlier one stays in use",
                metadata: ["file": "\(files.certificate)", "error": "\(error)"]
            )
        }
    }

    private static func read(_ files: RegistryServer.TLSFiles) throws -> Content {
        Content(
            certificate: Array(try Data(contentsOf: URL(filePath: files.certificate))),
            key: Array(try Data(contentsOf: URL(filePath: files.key)))
        )
    }

    private static func context(_ content: Content) throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMBytes(content.certificate)
        let key = try NIOSSLPrivateKey(bytes: content.key, format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }
}
