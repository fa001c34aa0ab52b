import Locking
import Logging
import MirrorCore
import NIOSSL
import OCI
import Testing

@testable import RegistryHTTP

@Suite("TLS listeners", .timeLimit(.minutes(1)))
struct TLSTests {
    private let digest = Digest(repeating: 0xab)

    private func request(_ target: String) -> String {
        "GET \(target) HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"
    }

    @Test("manifests, blobs and ranges pass through TLS byte for byte")
    func content() async throws {
        let fixture = try TLSFixture(.first)
        try await withServer(tls: fixture.files) { live in
            let blob = (0..<700_001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let file = try TemporaryFile(blob)
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let ping = try await tlsExchange(
                request("/v2/"),
                with: live.address,
                trusting: TLSFixture.Pair.first.certificate
            )
            #expect(String(decoding: ping, as: UTF8.self).hasSuffix("\r\n\r\n{}"))
            let answer = try await tlsExchange(
                request("/v2/a/blobs/\(digest)"),
                with: live.address,
                trusting: TLSFixture.Pair.first.certificate
            )
            #expect(answer.suffix(blob.count).elementsEqual(blob))
        }
    }

    @Test("a file that became shorter than it was cuts the body, and the server goes on")
    func shortFile() async throws {
        let fixture = try TLSFixture(.first)
        try await withServer(tls: fixture.files) { live in
            let blob = try FakeGrowingBlob(length: 100)
            blob.pretendToGrow(by: 100)
            live.registry.script.withLock { $0.blobs[digest] = .success(.growing(blob, .miss)) }
            let answer = try await tlsExchange(
                request("/v2/a/blobs/\(digest)"),
                with: live.address,
                trusting: TLSFixture.Pair.first.certificate
            )
            #expect(String(decoding: answer, as: UTF8.self).hasSuffix("\r\n\r\n"))
            #expect(live.log.all.contains { $0.contains("error=read_failed") })
        }
    }

    @Test("changed files are taken over for the next connection, a broken pair is not")
    func reload() throws {
        let fixture = try TLSFixture(.first)
        let certificates = try Certificates(fixture.files)
        let first = certificates.context
        let log = LogLines()
        certificates.reload(logger: log.logger)
        #expect(certificates.context === first)
        try fixture.write(.init(certificate: TLSFixture.Pair.second.certificate, key: TLSFixture.Pair.first.key))
        certificates.reload(logger: log.logger)
        #expect(certificates.context === first)
        #expect(log.all.contains { $0.hasPrefix("warning certificate not reloaded") })
        try fixture.write(.second)
        certificates.reload(logger: log.logger)
        #expect(certificates.context !== first)
        #expect(!log.all.contains { $0.contains("PRIVATE") })
    }

    @Test("a running server takes over changed files by itself")
    func reloadWhileRunning() async throws {
        let fixture = try TLSFixture(.first)
        let hurry = { (options: inout RegistryServer.Options) in options.certificateInterval = .milliseconds(5) }
        try await withServer(hurry, tls: fixture.files) { live in
            func answer(trusting pair: TLSFixture.Pair) async throws -> [UInt8] {
                try await tlsExchange(request("/v2/"), with: live.address, trusting: pair.certificate)
            }
            #expect(try await !answer(trusting: .first).isEmpty)
            try fixture.write(.second)
            while (try? await answer(trusting: .second)) == nil { try Task.checkCancellation() }
            await #expect(throws: (any Error).self) { try await answer(trusting: .first) }
        }
    }

    @Test("a key of another certificate keeps the server from starting, and both files are named")
    func mismatch() async throws {
        let fixture = try TLSFixture(.first)
        try fixture.write(.init(certificate: TLSFixture.Pair.second.certificate, key: TLSFixture.Pair.first.key))
        let error = await #expect(throws: ListenError.self) {
            try await withServer(tls: fixture.files) { _ in }
        }
        let text = error?.description ?? ""
        #expect(text.contains(fixture.files.certificate) && text.contains(fixture.files.key), "\(text)")
        #expect(text.contains("does not belong"), "\(text)")
    }

    @Test("a file that is not what it should be is named")
    func wrongFile() throws {
        let fixture = try TLSFixture(.first)
        try fixture.write(.init(certificate: "x", key: TLSFixture.Pair.first.key))
        #expect(throws: CertificateError.notCertificate(fixture.files.certificate)) {
            try Certificates(fixture.files)
        }
        try fixture.write(.init(certificate: TLSFixture.Pair.first.certificate, key: "x"))
        #expect(throws: CertificateError.notKey(fixture.files.key)) { try Certificates(fixture.files) }
    }

    @Test("a certificate that is not there keeps the server from starting, and says which")
    func missing() async throws {
        let files = RegistryServer.TLSFiles(certificate: "/nonexistent/tls.crt", key: "/nonexistent/tls.key")
        let error = await #expect(throws: ListenError.self) {
            try await withServer(tls: files) { _ in }
        }
        guard case .certificate(let address, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(address == "127.0.0.1:0")
        #expect(error?.description.contains("/nonexistent/tls.crt") == true)
    }

    @Test("a plain request on a TLS port is closed without harm")
    func plainRequest() async throws {
        let fixture = try TLSFixture(.first)
        try await withServer(tls: fixture.files) { live in
            let client = try await RawClient(live.address)
            try await client.send(request("/v2/"))
            let answer = try await client.rest()
            #expect(!String(decoding: answer, as: UTF8.self).contains("HTTP/1.1"))
        }
    }
}
