import FoundationEssentials
import Locking
import Logging
import NIOCore
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
    init(_ files: RegistryServer.TLSFiles) throws(CertificateError) {
        self.files = files
        let content = try Self.read(files)
        state = Locked(State(content: content, context: try Self.context(content, files)))
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
            let context = try Self.context(content, files)
            state.withLock { $0 = State(content: content, context: context) }
            logger.notice("certificate reloaded", metadata: ["file": "\(files.certificate)"])
        } catch {
            logger.warning(
                "certificate not reloaded, the earlier one stays in use",
                metadata: ["file": "\(files.certificate)", "error": "\(error)"]
            )
        }
    }

    private static func read(_ files: RegistryServer.TLSFiles) throws(CertificateError) -> Content {
        Content(certificate: try read(files.certificate), key: try read(files.key))
    }

    private static func read(_ path: String) throws(CertificateError) -> [UInt8] {
        do {
            return try Array(Data(contentsOf: URL(filePath: path)))
        } catch {
            throw .unreadable(path, reason: "\(error)")
        }
    }

    private static func context(
        _ content: Content,
        _ files: RegistryServer.TLSFiles
    ) throws(CertificateError) -> NIOSSLContext {
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(content.certificate), !chain.isEmpty else {
            throw .notCertificate(files.certificate)
        }
        guard let key = try? NIOSSLPrivateKey(bytes: content.key, format: .pem) else { throw .notKey(files.key) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // How long closing waits for the client's close_notify, which most never send. NIOSSL keeps the memory of each
        // connection for as long, even of one that has closed: in a second of new connections, that is tens of megabytes.
        configuration.shutdownTimeout = .milliseconds(100)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            // Each is well-formed by itself: the library refuses them together.
            throw .mismatch(certificate: files.certificate, key: files.key)
        }
    }
}

/// Why a certificate and its key cannot be used.
enum CertificateError: Error, Hashable {
    case unreadable(String, reason: String)
    case notCertificate(String)
    case notKey(String)
    case mismatch(certificate: String, key: String)
}

extension CertificateError: CustomStringConvertible {
    var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path) cannot be read: \(reason)"
        case .notCertificate(let path): "\(path) holds no PEM certificate (-----BEGIN CERTIFICATE-----)"
        case .notKey(let path): "\(path) holds no PEM private key without a passphrase (-----BEGIN PRIVATE KEY-----)"
        case .mismatch(let certificate, let key):
            "the key in \(key) does not belong to the first certificate in \(certificate); "
                + "the server's own certificate must come first, its issuers after it"
        }
    }
}
