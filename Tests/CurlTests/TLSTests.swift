import Curl
import HTTPTesting
import Testing

@Suite("TLS", .timeLimit(.minutes(1)))
struct TLSTests {
    let loop = TransferLoop(name: "curl-test")

    @Test("a certificate that nobody vouches for is not trusted, unless the settings vouch for it or look away")
    func untrusted() async throws {
        let server = try TLSServer()
        let url = "https://localhost:\(server.port)/"
        let error = await #expect(throws: TransferError.self) {
            try await loop.send(TransferRequest(url: url), to: CollectingSink())
        }
        #expect(error?.code == .untrusted)
        for connection in [
            TransferRequest.Connection(caFile: server.certificate), TransferRequest.Connection(isInsecure: true),
        ] {
            let head = try await loop.send(TransferRequest(url: url, connection: connection), to: CollectingSink())
            #expect(head.status == 200)
        }
    }

    @Test("a certificate for another name is not trusted, even of a trusted issuer")
    func otherName() async throws {
        let server = try TLSServer()
        let connection = TransferRequest.Connection(caFile: server.certificate)
        let error = await #expect(throws: TransferError.self) {
            try await loop.send(
                TransferRequest(url: "https://127.0.0.1:\(server.port)/", connection: connection),
                to: CollectingSink()
            )
        }
        #expect(error?.code == .untrusted)
    }

    @Test("plain HTTP where TLS was expected is not trusted")
    func plain() async {
        let server = LoopbackServer { _ in .reply(200) }
        let error = await #expect(throws: TransferError.self) {
            try await loop.send(TransferRequest(url: "https://127.0.0.1:\(server.port)/"), to: CollectingSink())
        }
        #expect(error?.code == .untrusted)
    }
}
