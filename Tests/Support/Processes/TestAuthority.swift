/// A certificate authority of a test's own, and a certificate of it for 127.0.0.1; made by openssl.
package final class TestAuthority: Sendable {
    /// Holds nothing but `ca.crt`, as skopeo and Docker want it.
    package let directory: TemporaryDirectory
    private let server: TemporaryDirectory

    package var certificate: String { directory.path("ca.crt") }
    /// A listener for ``TidepoolProcess/Options/listeners``.
    package var listener: String {
        """
          - address: 127.0.0.1:0
            tls: { certificate: \(server.path("tls.crt")), key: \(server.path("tls.key")) }
        """
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package init() async throws {
        directory = try TemporaryDirectory("ca")
        server = try TemporaryDirectory("tls")
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        let authority = ["-keyout", server.path("ca.key"), "-out", certificate, "-subj", "/CN=tidepool test"]
        try await Self.openssl(["req", "-x509", "-days", "2"] + key + authority)
        let request = ["-keyout", server.path("tls.key"), "-out", server.path("tls.csr"), "-subj", "/CN=127.0.0.1"]
        try await Self.openssl(["req"] + key + request + ["-addext", "subjectAltName=IP:127.0.0.1"])
        let issuer = [
            "-CA", certificate, "-CAkey", server.path("ca.key"), "-CAserial", server.path("ca.srl"), "-CAcreateserial",
        ]
        let files = ["-in", server.path("tls.csr"), "-out", server.path("tls.crt")]
        try await Self.openssl(["x509", "-req", "-days", "2", "-copy_extensions", "copy"] + issuer + files)
    }

    private static func openssl(_ arguments: [String]) async throws {
        let result = try await Command.run([ClientTool.openssl.path] + arguments)
        guard result.succeeded else { throw Failure(description: "\(result)") }
    }
}
