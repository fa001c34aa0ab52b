import Curl
import Foundation
import HTTPTesting
import Testing

@Suite("Unix sockets", .timeLimit(.minutes(1)))
struct UnixSocketTests {
    let loop = TransferLoop(name: "curl-test")

    @Test("a request goes to the socket, whatever host its URL names and whatever proxy there is")
    func sends() async throws {
        let path = "/tmp/tp-curl-\(UInt32.random(in: .min ... .max)).sock"
        let server = try LoopbackServer(unixSocket: path) { _ in .reply(200, body: Array("by the socket".utf8)) }
        defer { unlink(path) }
        let sink = CollectingSink()
        let request = TransferRequest(
            url: "http://nowhere.invalid/-/api/quota",
            connection: .init(proxy: "", refused: [], unixSocket: path)
        )
        #expect(try await loop.send(request, to: sink).status == 200)
        #expect(String(decoding: sink.bytes, as: UTF8.self) == "by the socket")
        #expect(server.requests.map(\.line) == ["GET /-/api/quota"])
        #expect(server.requests.first?["host"] == "nowhere.invalid")
    }

    @Test("a socket that nobody listens on, or that is not there, is unreachable", arguments: [true, false])
    func nobody(exists: Bool) async throws {
        let path = "/tmp/tp-curl-\(UInt32.random(in: .min ... .max)).sock"
        if exists { _ = try LoopbackServer(unixSocket: path) { _ in .reply(200) } }
        defer { unlink(path) }
        let request = TransferRequest(url: "http://tidepool/", connection: .init(proxy: "", unixSocket: path))
        let error = await #expect(throws: TransferError.self) { try await loop.send(request, to: CollectingSink()) }
        #expect(error?.code == .unreachable)
    }
}
