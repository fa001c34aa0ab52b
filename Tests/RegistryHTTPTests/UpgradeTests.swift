import Testing

@testable import RegistryHTTP

@Suite("Clients that offer another protocol", .timeLimit(.minutes(1)))
struct UpgradeTests {
    /// What curl's `--http2` and Java's client send with every first request.
    private let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"

    @Test("they are answered in HTTP/1.1, and told that the connection closes", arguments: ["GET", "HEAD"])
    func closes(method: String) async throws {
        try await withServer { live in
            let client = try await RawClient(live.address)
            try await client.send("\(method) /v2/ HTTP/1.1\r\nHost: m\r\n\(offer)\r\n")
            let response = try await client.response(toHead: method == "HEAD")
            #expect(response.status == 200)
            #expect(response["connection"] == "close")
            // Kept open, it would swallow the next request.
            #expect(try await client.rest() == [])
        }
    }
}
